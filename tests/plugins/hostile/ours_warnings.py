"""Turns warnings into errors.

Must hold: the record is answered with plain data, and so are the others.
"""

import warnings

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    warnings.simplefilter("error")
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
