"""Becomes a program that is nowhere but in memory.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.memfd_create("hostile") > 0}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
