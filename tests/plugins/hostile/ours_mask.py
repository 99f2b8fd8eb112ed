"""Changes the mask for files.

Must hold: the record is answered with plain data, and so are the others.
"""

import os

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    os.umask(0o777)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
