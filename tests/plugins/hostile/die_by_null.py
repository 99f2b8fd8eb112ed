"""Reads where nothing is.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import ctypes

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    return {"n": ctypes.string_at(0)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
