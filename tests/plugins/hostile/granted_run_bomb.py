"""Forks without end.

Must hold: all of them end with the worker.
"""

import os
import time

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True, "timeout_seconds": 5, "memory_bytes": 1073741824}


def attack(record):
    made = 0
    try:
        while made < 300:
            if os.fork() == 0:
                time.sleep(600)
                os._exit(0)
            made += 1
    except OSError:
        pass
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
