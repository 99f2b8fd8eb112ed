"""Has Python end itself.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import ctypes

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    ctypes.pythonapi.Py_FatalError(b"hostile")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
