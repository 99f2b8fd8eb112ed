"""Blocks every signal, and loops.

Must hold: the record is given up after its time, the other records are answered by the next worker.
"""

import signal

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    while True:
        pass


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
