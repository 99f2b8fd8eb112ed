"""Returns records that it changes meanwhile.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    def results():
        kept = {"n": 0}
        for at in range(3):
            kept["n"] = at
            yield kept


    return results()


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
