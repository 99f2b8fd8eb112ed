"""Returns a number that is none.

Must hold: whatever becomes of the record, the other records are answered.
"""

import decimal

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": decimal.Decimal("sNaN"), "m": decimal.Decimal("1E+999999")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
