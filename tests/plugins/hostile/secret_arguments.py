"""Looks for a token among the words that its process was started with.

Must hold: they hold none.
"""

import sys

TRIES = "secrets of the host"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": sys.orig_argv} if "CANARY" in repr(sys.orig_argv) else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
