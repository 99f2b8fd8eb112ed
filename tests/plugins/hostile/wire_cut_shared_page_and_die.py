"""Cuts whatever memory it shares with the host, and dies.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "the wire"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for number in range(3, 300):
        try:
            os.ftruncate(number, 0)
        except OSError:
            continue
    os._exit(1)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
