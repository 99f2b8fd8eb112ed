"""Hangs when its module dies.

Must hold: the host ends in time.
"""

import time

TRIES = "using up"
MUST = "answer"
LEVELS = ("process", "sandbox")

class Slow:
    def __del__(self):
        time.sleep(600)


KEPT = Slow()


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
