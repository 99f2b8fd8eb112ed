"""Copies a file of the host to where it may write.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import shutil

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    return {"taken": shutil.copyfile(record["canary"], record["granted"] + "/copy")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
