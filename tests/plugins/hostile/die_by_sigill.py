"""Ends itself by SIGILL.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import signal

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    signal.signal(signal.SIGILL, signal.SIG_DFL)
    signal.raise_signal(signal.SIGILL)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
