"""Raises what hangs when it is shown.

Must hold: whatever becomes of the record, the other records are answered.
"""

import time

TRIES = "exceptions"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    class Bad(Exception):
        def __str__(self):
            time.sleep(600)

        __repr__ = __str__


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
