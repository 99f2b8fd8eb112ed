"""Returns a dict that does as it likes when it is looked at.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(dict):
        def __iter__(self):
            raise SystemError

        def items(self):
            raise SystemError

        __len__ = keys = values = __getitem__ = items


    return Bad(n=1)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
