"""Writes bytes that are no text.

Must hold: the record is answered with plain data, and so are the others.
"""

import os

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    os.write(1, bytes(range(256)))
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
