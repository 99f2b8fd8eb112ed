"""Runs a command by the shell.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def shell():
    if os.system("true") != 0:
        raise PermissionError("no shell")
    return True


def attack(record):
    return {"taken": shell()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
