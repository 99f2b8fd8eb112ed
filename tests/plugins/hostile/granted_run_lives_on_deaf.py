"""Leaves a process running that hears no signal.

Must hold: the process ends with the worker.
"""

import os
import signal
import time

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    if os.fork() == 0:
        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                continue
        while True:
            time.sleep(600)
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
