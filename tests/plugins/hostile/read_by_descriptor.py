"""Opens a file of the host without Python's streams.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.read(os.open(record["canary"], os.O_RDONLY), 99).decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
