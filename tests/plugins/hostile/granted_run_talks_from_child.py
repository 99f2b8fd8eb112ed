"""Lets a child answer in its place.

Must hold: the host lives, and no answer counts twice.
"""

import os
import time

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}
OTHERS = "any"


def attack(record):
    if os.fork() == 0:
        return {"n": "child"}
    time.sleep(0.1)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
