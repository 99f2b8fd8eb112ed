"""Stops itself.

Must hold: the record is given up after its time, the other records are answered by the next worker.
"""

import os
import signal

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    os.kill(os.getpid(), signal.SIGSTOP)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
