"""Leaves a program that runs as its owner, root perhaps.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    os.close(os.open(record["granted"] + "/shell", os.O_CREAT | os.O_WRONLY, 0o4755))
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
