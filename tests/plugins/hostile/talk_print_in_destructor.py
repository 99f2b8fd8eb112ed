"""Prints when nothing is listening any more.

Must hold: the record is answered with plain data, and so are the others.
"""

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")

class Last:
    def __del__(self):
        print("x" * 100000)


KEPT = Last()


def attack(record):
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
