"""Holds a lock on a file of the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    fcntl.flock(os.open(record["canary"], os.O_RDWR), fcntl.LOCK_EX)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
