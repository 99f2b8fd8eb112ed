"""Changes how numbers are written.

Must hold: the record is answered with plain data, and so are the others.
"""

import decimal
import locale

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    locale.setlocale(locale.LC_ALL, "C")
    decimal.getcontext().prec = 1
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
