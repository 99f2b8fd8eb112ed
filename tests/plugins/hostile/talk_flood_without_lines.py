"""Prints without ever ending a line.

Must hold: the record is answered with plain data, and so are the others.
"""

import sys

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for _ in range(2000):
        sys.stdout.write("x" * 10000)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
