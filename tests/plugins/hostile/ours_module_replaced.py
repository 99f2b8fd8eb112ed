"""Puts something else in the place of its module.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")

class Other:
    def __getattribute__(self, name):
        raise SystemError(name)


sys.modules[__name__] = Other()


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
