"""Draws on a screen, where there is one."""


def available():
    return "there is no display here"


def transform(record):
    return record


def describe():
    return "no_display: draws"
