"""Raises when it is asked what it is.

Must hold: the record is answered with plain data, and so are the others.
"""

import sys

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    raise SystemError
