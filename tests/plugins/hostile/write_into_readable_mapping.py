"""Maps a file that it may only read for writing.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import mmap
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    mmap.mmap(os.open(record["granted"] + "/given.txt", os.O_RDONLY), 5, prot=mmap.PROT_READ | mmap.PROT_WRITE, flags=mmap.MAP_SHARED)[0] = 88
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
