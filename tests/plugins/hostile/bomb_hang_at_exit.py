"""Hangs when its process ends.

Must hold: the host ends in time.
"""

import atexit
import time

TRIES = "using up"
MUST = "answer"
LEVELS = ("process", "sandbox")

atexit.register(time.sleep, 600)


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
