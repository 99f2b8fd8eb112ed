"""Cuts text into words."""


def split(text):
    return text.lower().split()
