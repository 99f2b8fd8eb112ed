"""Raises what does as it likes when it is asked for anything.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "exceptions"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(OSError):
        def __getattribute__(self, name):
            os._exit(3)


    raise Bad(13, "x", "/etc/passwd")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
