"""Greets."""

GREETING = "grüß dich"


def transform(record):
    return record


def describe():
    return "latin: hands records on"
