"""Climbs out of a folder by its descriptor.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    return {"taken": os.read(os.open("../canary.txt", os.O_RDONLY, dir_fd=os.open(record["granted"], os.O_RDONLY)), 99).decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
