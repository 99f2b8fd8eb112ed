"""Holds a lock on a file that it may only read, so that nobody can write it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    fcntl.flock(os.open(record["granted"] + "/given.txt", os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
