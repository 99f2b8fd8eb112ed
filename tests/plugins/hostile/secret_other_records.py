"""Keeps what it is given, and hands it on with the next record.

Must hold: it is its own data: nothing to be held.
"""

TRIES = "secrets of the host"
MUST = "answer"
LEVELS = ("sandbox",)

SEEN = []


def attack(record):
    return {"n": record["n"], "seen": len(SEEN)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
