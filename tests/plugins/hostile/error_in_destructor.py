"""Raises when its values die.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad:
        def __del__(self):
            raise SystemError("dying")


    kept = Bad()
    raise ValueError("x")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
