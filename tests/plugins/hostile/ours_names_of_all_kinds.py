"""Names what cannot be a name.

Must hold: it is used all the same, and all records are answered.
"""

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def __dir__():
    return [1, None, "transform", "\ud800", "x" * 100_000]


def transform(record):
    return record


def describe():
    return "hostile"
