"""Looks for keys with a pattern.

Must hold: nothing is found.
"""

import glob

TRIES = "file theft"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    found = glob.glob("/home/*/.ssh/*") + glob.glob(record["outside"] + "/*")
    return {"taken": found} if found else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
