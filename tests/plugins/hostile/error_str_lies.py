"""Raises what is shown as no text.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(Exception):
        def __str__(self):
            return 7


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
