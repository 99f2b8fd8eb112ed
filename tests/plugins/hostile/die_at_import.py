"""Dies while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import os

TRIES = "dying"
MUST = "unloadable"
LEVELS = ("process", "sandbox")

os._exit(0)


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
