"""Stops itself again and again, and has a timer that would wake it, if it ran.

Must hold: the record ends in time.
"""

import os
import signal

TRIES = "using up"
MUST = "time out"
LEVELS = ("process",)
LIMITS = {"timeout_seconds": 3}


def attack(record):
    signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)
    signal.signal(signal.SIGALRM, lambda *_: None)
    while True:
        os.kill(os.getpid(), signal.SIGSTOP)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
