"""Reads from the standard input.

Must hold: the record is answered with plain data, and so are the others.
"""

import sys

TRIES = "talking"
MUST = "answer"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5}


def attack(record):
    return {"n": len(sys.stdin.read())}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
