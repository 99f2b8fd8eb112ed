"""Computes what takes years.

Must hold: the record is given up after its time, the other records are answered by the next worker.
"""

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    return {"n": str(7 ** (7 ** 10))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
