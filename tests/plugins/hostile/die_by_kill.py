"""Kills itself.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import os
import signal

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    os.kill(os.getpid(), signal.SIGKILL)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
