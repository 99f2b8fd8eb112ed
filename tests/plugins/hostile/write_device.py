"""Makes a device by which the disk can be read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    os.mknod(record["granted"] + "/disk", 0o60666, os.makedev(254, 0))
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
