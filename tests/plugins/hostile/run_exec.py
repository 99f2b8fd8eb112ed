"""Becomes another program.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.execv("/bin/true", ["true"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
