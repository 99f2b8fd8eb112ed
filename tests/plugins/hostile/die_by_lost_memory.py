"""Reads memory whose file was cut.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import mmap

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")
GRANTS = {"write": ["granted"]}


def attack(record):
    path = record["granted"] + "/cut"
    with open(path, "wb") as file:
        file.write(bytes(8192))
    with open(path, "r+b") as file:
        found = mmap.mmap(file.fileno(), 8192)
        file.truncate(0)
        return {"n": found[4096]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
