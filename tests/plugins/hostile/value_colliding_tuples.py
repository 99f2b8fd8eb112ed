"""Returns a dict whose keys are tuples that all have one hash.

Must hold: the record fails with an error that says so, before the host has them to tell apart.
"""

from itertools import islice, product

TRIES = "values"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    # hash(-1) == hash(-2), and so it is with tuples of them.
    return {key: 1 for key in islice(product((-1, -2), repeat=16), 2_000)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
