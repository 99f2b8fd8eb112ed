"""Raises with arguments that cannot be shown.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad:
        def __repr__(self):
            raise SystemError


    raise ValueError(Bad(), Bad())


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
