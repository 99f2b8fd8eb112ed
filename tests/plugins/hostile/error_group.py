"""Raises a group of groups.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    error = ValueError("inner")
    for _ in range(500):
        error = ExceptionGroup("x", [error])
    raise error


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
