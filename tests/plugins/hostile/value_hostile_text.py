"""Returns a text that does as it likes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(str):
        def encode(self, *given):
            raise SystemError

        __str__ = __repr__ = __hash__ = encode


    return {"n": Bad("x")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
