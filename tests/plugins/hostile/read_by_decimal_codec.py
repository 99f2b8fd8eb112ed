"""Loads a module of characters from a folder of the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open(record["canary"], encoding="utf-8", opener=lambda path, flags: os.open(path, flags)).read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
