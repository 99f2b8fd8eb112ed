"""Renames in such a way that a device is left behind.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    old, new = (os.fsencode(f"{record['granted']}/{name}") for name in ("given.txt", "taken.txt"))
    library = ctypes.CDLL(None, use_errno=True)
    if library.syscall(316, -100, old, -100, new, 4):  # renameat2, RENAME_WHITEOUT
        raise OSError(ctypes.get_errno(), "renameat2")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
