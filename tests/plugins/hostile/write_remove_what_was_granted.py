"""Removes the folder in which it may write.

Must hold: what is granted is below the folder, and not the folder itself.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    os.remove(record["granted"] + "/given.txt")
    os.rmdir(record["granted"])
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
