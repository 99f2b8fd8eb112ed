"""Takes a terabyte at once.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "using up"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": len(bytearray(1 << 40))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
