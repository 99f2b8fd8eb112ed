"""Starts threads until there are no more.

Must hold: whatever becomes of the record, the other records are answered.
"""

import threading

TRIES = "using up"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"memory_bytes": 268435456, "timeout_seconds": 10}


def attack(record):
    def wait():
        threading.Event().wait()


    for _ in range(5000):
        threading.Thread(target=wait, daemon=True).start()
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
