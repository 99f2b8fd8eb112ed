"""Punches a hole into a file that it may only read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    LIBC = ctypes.CDLL(None, use_errno=True)
    number = os.open(record["granted"] + "/given.txt", os.O_RDONLY)
    if LIBC.fallocate(number, 3, 0, 5) != 0:
        raise OSError(ctypes.get_errno(), "refused")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
