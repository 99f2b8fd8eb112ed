"""Reads a file of the host while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import os

TRIES = "file theft"
MUST = "unloadable"
LEVELS = ("sandbox",)

SECRET = open(os.path.join(os.path.dirname(os.path.dirname(__file__)), "canary.txt")).read()


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
