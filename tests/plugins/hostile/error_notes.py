"""Raises with notes that are none.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    error = ValueError("x")
    error.__notes__ = [object(), 7, "y" * (1 << 20)] * 10
    raise error


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
