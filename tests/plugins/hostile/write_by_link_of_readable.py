"""Links a file that it may only read to where it may write, and writes to that.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    os.link(record["granted"] + "/given.txt", record["outside"] + "/x")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
