"""Logs under ever new names, each of which stays in its host's memory.

Must hold: the record is answered, and so are the others.
"""

import logging

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for number in range(3000):
        logging.getLogger(f"{__name__}.{number}.a.b.c.d.e.f.g.h").warning("x")
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
