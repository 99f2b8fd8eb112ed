"""Swallows whatever should end it.

Must hold: the record is given up after its time, the other records are answered by the next worker.
"""

import time

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    while True:
        try:
            time.sleep(1)
        except BaseException:
            continue


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
