"""Puts a folder of its own in the place of one of the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    os.mkdir(record["granted"] + "/mine")
    os.rename(record["granted"] + "/mine", record["outside"] + "/mine")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
