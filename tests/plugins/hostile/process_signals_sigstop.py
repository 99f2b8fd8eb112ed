"""Sends SIGSTOP to the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import signal

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.kill(record["host"], signal.SIGSTOP) is None}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
