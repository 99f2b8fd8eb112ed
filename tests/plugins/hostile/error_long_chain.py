"""Raises what has ten thousand causes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    error = None
    for at in range(10000):
        following = ValueError(at)
        following.__cause__ = error
        error = following
    raise error


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
