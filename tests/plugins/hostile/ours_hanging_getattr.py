"""Hangs when it is asked for a name that it does not have.

Must hold: whatever becomes of the record, the other records are answered.
"""

import time

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}

def __getattr__(name):
    time.sleep(600)


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
