"""Handles the signal of its limit, and goes on.

Must hold: whatever becomes of the record, the other records are answered.
"""

import signal

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"cpu_seconds": 1, "timeout_seconds": 10}


def attack(record):
    signal.signal(signal.SIGXCPU, lambda *given: None)
    while True:
        pass


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
