"""Lets no pipe block any more.

Must hold: the host lives; the worker may end when it waits next.
"""

import os
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
    for number in pipes():
        try:
            os.set_blocking(number, False)
        except OSError:
            continue
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
