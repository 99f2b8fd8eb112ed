"""Hangs when it is asked whether it applies.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import time

TRIES = "our own code"
MUST = "unloadable"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}

def available():
    time.sleep(600)


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
