"""Raises what has a name of a megabyte.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise type("X" * (1 << 20), (Exception,), {})


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
