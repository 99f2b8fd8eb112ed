"""Replaces what everybody calls.

Must hold: whatever becomes of the record, the other records are answered.
"""

import builtins

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for name in ("len", "isinstance", "open", "print", "type", "dict", "repr", "str", "range", "getattr"):
        setattr(builtins, name, None)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
