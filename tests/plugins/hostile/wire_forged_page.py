"""Says by the shared memory that it is at another record, and dies.

Must hold: the host lives, and no other record is lost.
"""

import mmap
import os
import stat

TRIES = "the wire"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for number in range(3, 300):
        try:
            if stat.S_ISREG(os.fstat(number).st_mode):
                mmap.mmap(number, 4096)[:] = b"\xff" * 4096
        except (OSError, ValueError):
            continue
    os._exit(1)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
