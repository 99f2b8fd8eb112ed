"""Removes a folder of the host with all in it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import shutil

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    shutil.rmtree(record["outside"])
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
