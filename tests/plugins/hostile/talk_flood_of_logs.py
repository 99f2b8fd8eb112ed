"""Logs much.

Must hold: the record is answered with plain data, and so are the others.
"""

import logging

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for _ in range(5000):
        logging.getLogger("hostile").error("x" * 1000)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
