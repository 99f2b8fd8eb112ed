"""Dies with each record.

Must hold: the plugin is set aside after three deaths.
"""

import os

TRIES = "dying"
MUST = "quarantine"
LEVELS = ("process", "sandbox")


def attack(record):
    os._exit(1)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
