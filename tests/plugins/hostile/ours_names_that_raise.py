"""Says that it has nothing, by raising.

Must hold: it is used all the same, and all records are answered.
"""

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def __dir__():
    raise ValueError("no names")


def transform(record):
    return record


def describe():
    return "hostile"
