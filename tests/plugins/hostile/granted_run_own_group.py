"""Leaves the group in which it is ended.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs that are granted"
MUST = "fail"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    os.setpgid(0, 0) if os.getpgid(0) != os.getpid() else os.setpgid(os.getpid(), os.getppid())
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
