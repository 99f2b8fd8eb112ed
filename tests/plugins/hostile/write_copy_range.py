"""Copies over a file that it may only read by a call of the kernel.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    number = os.open(record["granted"] + "/given.txt", os.O_RDONLY)
    os.copy_file_range(number, number, 2)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
