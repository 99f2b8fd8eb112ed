"""Raises with a text of a hundred megabytes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise ValueError("x" * (100 << 20))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
