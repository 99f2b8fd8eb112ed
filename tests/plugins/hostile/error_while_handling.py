"""Raises while it handles what it raised.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    try:
        raise ValueError("first")
    finally:
        raise KeyError("second")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
