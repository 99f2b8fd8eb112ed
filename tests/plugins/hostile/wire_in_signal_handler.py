"""Writes frames from a signal handler, in the middle of those of the worker.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os
import signal
import stat

TRIES = "the wire"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}
OTHERS = "any"

def pipes():
    """Return the pipes that this process has, its standard streams apart."""
    found = []
    for number in range(3, 300):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                found.append(number)
        except OSError:
            continue
    return found


def send(data):
    for number in pipes():
        try:
            os.set_blocking(number, False)
            os.write(number, data)
        except OSError:
            continue


def attack(record):
    # The next answers are long enough to be interrupted.
    signal.signal(signal.SIGALRM, lambda *_: send(b"\x05\x00\x00\x00\x93\xa4do"))
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
    return {**record, "long": "x" * 900_000}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
