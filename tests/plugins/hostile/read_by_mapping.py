"""Maps a file of the host into memory.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import mmap
import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": mmap.mmap(os.open(record["canary"], os.O_RDONLY), 0, prot=mmap.PROT_READ)[:].decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
