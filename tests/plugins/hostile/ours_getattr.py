"""Answers to every name.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")

def __getattr__(name):
    raise SystemError(name)


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
