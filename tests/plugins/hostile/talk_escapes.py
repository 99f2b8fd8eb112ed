"""Prints what moves a cursor, and looks like lines of others.

Must hold: the record is answered with plain data, and so are the others.
"""

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    print("\x1b[2J\x1b]0;evil\x07\rhost: all is well\x00\ud800" + chr(0x202E))
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
