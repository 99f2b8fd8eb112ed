"""Reads another plugin beside it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open(os.path.join(os.path.dirname(__file__), "neighbour.py")).read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
