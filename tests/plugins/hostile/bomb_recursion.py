"""Calls itself without end.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "using up"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    return attack(record)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
