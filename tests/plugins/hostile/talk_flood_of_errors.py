"""Writes to the standard error past Python.

Must hold: the record is answered with plain data, and so are the others.
"""

import os

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for _ in range(2000):
        os.write(2, b"x" * 10000)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
