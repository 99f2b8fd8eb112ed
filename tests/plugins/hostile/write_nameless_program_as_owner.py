"""Makes a program that runs as its owner without a name.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    os.open(record["granted"], os.O_TMPFILE | os.O_RDWR, 0o4755)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
