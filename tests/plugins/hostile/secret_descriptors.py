"""Reads from every descriptor that is open.

Must hold: none of them is a file of the host.
"""

import os
import stat

TRIES = "secrets of the host"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    found = []
    for number in range(3, 300):
        try:
            kind = os.fstat(number).st_mode
            if stat.S_ISREG(kind) or stat.S_ISDIR(kind):
                found.append(os.pread(number, 999, 0))
        except OSError:
            continue
    return {"taken": True} if any(b"CANARY" in one for one in found) else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
