"""Opens anew for writing what it has open for reading.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    number = os.open(record["granted"] + "/given.txt", os.O_RDONLY)
    open(f"/proc/self/fd/{number}", "w").write("gone")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
