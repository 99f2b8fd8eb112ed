"""Raises with text that no encoding can hold.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise ValueError("\ud800\udfff")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
