"""Walks through the whole disk.

Must hold: the walk ends at once: no folder can be listed.
"""

import os

TRIES = "file theft"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    names = []
    for folder, _, files in os.walk("/"):
        names += [f"{folder}/{file}" for file in files if "canary" in file]
        if len(names) > 10:
            break
    return {"taken": names} if names else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
