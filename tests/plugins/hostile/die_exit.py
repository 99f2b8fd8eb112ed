"""Asks Python to end.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import sys

TRIES = "dying"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    sys.exit(0)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
