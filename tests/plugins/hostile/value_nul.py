"""Returns text with characters that end others.

Must hold: the record is answered with plain data, and so are the others.
"""

TRIES = "values"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": "a\x00b\r\n\x1b[2J", "\x00": "\u2028"}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
