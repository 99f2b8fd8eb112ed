"""Raises what ends the process when it is shown.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "exceptions"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(Exception):
        def __str__(self):
            os._exit(0)


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
