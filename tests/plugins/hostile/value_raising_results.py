"""Returns records of which the second raises.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    def results():
        yield {"n": 1}
        raise ValueError("second")


    return results()


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
