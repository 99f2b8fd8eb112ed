"""Changes into a folder of the host, and opens by its name alone.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

def taken(record):
    os.chdir(record["outside"])
    return open("canary_module.py").read()


def attack(record):
    return {"taken": taken(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
