"""Raises what says it is of another class.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "exceptions"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(Exception):
        @property
        def __class__(self):
            raise SystemError


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
