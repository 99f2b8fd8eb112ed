"""Asks what the host has open by the links to it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": [os.readlink(f"/proc/{record['host']}/fd/{number}") for number in (0, 1, 2)]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
