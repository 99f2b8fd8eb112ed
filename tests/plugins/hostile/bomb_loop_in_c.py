"""Never returns from C code, which holds Python's lock.

Must hold: the record is given up after its time, the other records are answered by the next worker.
"""

import re

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    return {"n": bool(re.match(r"(a*)*b", "a" * 60))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
