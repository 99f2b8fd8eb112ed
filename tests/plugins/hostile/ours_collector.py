"""Turns the collector off, and makes garbage.

Must hold: the record is answered with plain data, and so are the others.
"""

import gc

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    gc.disable()
    for _ in range(10000):
        one = []
        one.append(one)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
