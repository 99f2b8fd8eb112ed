"""Returns a number that does as it likes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(int):
        def __int__(self):
            raise SystemError

        __index__ = __repr__ = __eq__ = __int__
        __hash__ = int.__hash__


    return {"n": Bad(7)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
