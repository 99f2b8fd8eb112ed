"""Reads a file of the host by the cache of source lines.

Must hold: the line is empty.
"""

import linecache

TRIES = "file theft"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    line = linecache.getline(record["canary"], 1)
    return {"taken": line} if line else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
