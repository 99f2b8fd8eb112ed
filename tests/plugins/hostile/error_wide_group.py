"""Raises a group of very many.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise ExceptionGroup("x", [ValueError("y" * 100) for _ in range(20000)])


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
