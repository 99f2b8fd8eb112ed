"""Leaves memory that outlives it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

from multiprocessing.shared_memory import SharedMemory

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    SharedMemory("hostile-was-here", create=True, size=1 << 20)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
