"""Forks without end.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def bomb():
    for _ in range(1000):
        os.fork()
    return True


def attack(record):
    return {"taken": bomb()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
