"""Returns one key twice.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Key(str):
        __hash__ = object.__hash__
        __eq__ = object.__eq__


    return {Key("n"): 1, Key("n"): 2}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
