"""Returns keys of one hash.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Same(str):
        def __hash__(self):
            return 1

        def __eq__(self, other):
            return False


    return {Same(at): 1 for at in range(2000)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
