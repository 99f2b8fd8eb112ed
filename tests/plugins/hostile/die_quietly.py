"""Ends the process as if all were well.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import os

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    os._exit(0)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
