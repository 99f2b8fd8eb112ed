"""Makes a dict of its own whose keys all have one hash.

Must hold: the record ends in time.
"""

import itertools

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    return {"n": len(dict.fromkeys(itertools.islice(itertools.product((-1, -2), repeat=17), 100_000)))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
