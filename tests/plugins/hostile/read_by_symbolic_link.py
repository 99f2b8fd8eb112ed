"""Links to a file of the host from a folder that it may read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

def taken(record):
    os.symlink(record["canary"], record["granted"] + "/linked")
    return open(record["granted"] + "/linked").read()


def attack(record):
    return {"taken": taken(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
