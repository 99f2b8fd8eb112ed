"""Slows down all that the user runs.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.setpriority(os.PRIO_USER, 0, 19) is None}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
