"""Takes a lease on a file, which stops whoever opens it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    fcntl.fcntl(os.open(record["granted"] + "/given.txt", os.O_RDONLY), 1024, 0)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
