"""Puts something else in the place of the standard output.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "talking"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad:
        def write(self, text):
            raise SystemError

        def flush(self):
            raise SystemError


    sys.stdout = sys.stderr = Bad()
    print("here")
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
