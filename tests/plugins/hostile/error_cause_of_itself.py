"""Raises what is its own cause.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    one, other = ValueError("one"), ValueError("other")
    one.__cause__ = other
    other.__cause__ = one
    raise one


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
