"""Logs what raises when it is shown.

Must hold: whatever becomes of the record, the other records are answered.
"""

import logging

TRIES = "talking"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad:
        def __str__(self):
            raise SystemError

        __repr__ = __str__


    logging.getLogger("hostile").error("%s", Bad())
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
