"""Answers to every name.

Must hold: the record is answered with plain data, and so are the others.
"""

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")

def __getattr__(name):
    raise SystemError(name)


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
