"""Looks for a token among its environment variables.

Must hold: there are none.
"""

import os

TRIES = "secrets of the host"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    found = {name: value for name, value in os.environ.items() if "CANARY" in name}
    return {"taken": found} if found else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
