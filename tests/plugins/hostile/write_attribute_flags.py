"""Makes a file of the host immutable, or not.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    fcntl.ioctl(os.open(record["granted"] + "/given.txt", os.O_RDONLY), 0x40086602, (0x10).to_bytes(8, "little"))
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
