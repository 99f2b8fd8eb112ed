"""Moves a file that it may only read into a folder that it may write.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["outside"], "write": ["granted"]}


def attack(record):
    os.rename(record["outside"] + "/canary_module.py", record["granted"] + "/moved")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
