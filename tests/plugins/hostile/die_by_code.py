"""Runs code that no compiler makes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "dying"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    code = (lambda: 0).__code__.replace(co_code=bytes((100, 255)) * 100, co_consts=())
    return {"n": repr(eval(code))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
