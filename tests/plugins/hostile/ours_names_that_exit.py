"""Ends the process when it is asked for its names.

Must hold: it is used all the same, and all records are answered.
"""

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def __dir__():
    raise SystemExit(3)


def transform(record):
    return record


def describe():
    return "hostile"
