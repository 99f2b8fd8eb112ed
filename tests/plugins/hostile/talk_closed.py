"""Closes what it would print to.

Must hold: the record is answered with plain data, and so are the others.
"""

import os

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for number in (0, 1, 2):
        os.close(number)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
