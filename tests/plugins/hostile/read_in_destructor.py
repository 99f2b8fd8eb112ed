"""Reads a file of the host when an object dies.

Must hold: nothing is found.
"""

import sys

TRIES = "file theft"
MUST = "any"
LEVELS = ("sandbox",)

sys.unraisablehook = lambda given: None


def attack(record):
    found = []


    class Dying:
        def __del__(self):
            found.append(open(record["canary"]).read())


    Dying()
    return {"taken": found[0]} if found else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
