"""Takes memory that is counted in another way.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import mmap

TRIES = "using up"
MUST = "fail"
LEVELS = ("sandbox",)
LIMITS = {"memory_bytes": 268435456}


def attack(record):
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 1 << 26))
        kept[-1][:] = bytes(1 << 26)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
