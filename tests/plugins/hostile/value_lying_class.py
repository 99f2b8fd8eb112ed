"""Returns an object that says it is a dict.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Liar:
        __class__ = dict


    return Liar()


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
