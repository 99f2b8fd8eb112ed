"""Replaces every function of plugline in its process.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for name, module in list(sys.modules.items()):
        if name.startswith("plugline"):
            for key, value in list(vars(module).items()):
                if callable(value):
                    try:
                        setattr(module, key, lambda *given, **named: {"taken": True})
                    except Exception:
                        continue
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
