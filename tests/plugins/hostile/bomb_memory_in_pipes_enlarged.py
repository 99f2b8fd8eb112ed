"""Enlarges its pipes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "using up"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    reading, writing = os.pipe()
    fcntl.fcntl(writing, 1031, 1 << 20)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
