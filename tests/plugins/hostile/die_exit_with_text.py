"""Asks Python to end, with a text.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "dying"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise SystemExit("\ud800" * 100)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
