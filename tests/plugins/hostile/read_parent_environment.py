"""Reads the variables of what started it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open(f"/proc/{os.getppid()}/environ").read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
