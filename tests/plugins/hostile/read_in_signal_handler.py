"""Reads a file of the host while it handles a signal.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import signal

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    signal.signal(signal.SIGUSR1, lambda *given: open(record["canary"]))
    signal.raise_signal(signal.SIGUSR1)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
