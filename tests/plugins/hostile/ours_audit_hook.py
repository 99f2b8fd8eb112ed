"""Forbids everything by a hook that cannot be removed.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    def hook(event, given):
        raise SystemError(event)


    sys.addaudithook(hook)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
