"""Returns infinite numbers.

Must hold: the record is answered with plain data, and so are the others.
"""

TRIES = "values"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": float("inf"), "m": float("-inf"), "o": float("nan")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
