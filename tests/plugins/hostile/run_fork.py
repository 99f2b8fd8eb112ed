"""Forks.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def forked():
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return True


def attack(record):
    return {"taken": forked()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
