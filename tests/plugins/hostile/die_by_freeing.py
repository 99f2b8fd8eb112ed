"""Frees what is in use.

Must hold: whatever becomes of the record, the other records are answered.
"""

import ctypes
import gc

TRIES = "dying"
MUST = "any"
LEVELS = ("process", "sandbox")
OTHERS = "any"


def attack(record):
    value = [1, 2, 3]
    for _ in range(5):
        ctypes.pythonapi.Py_DecRef(ctypes.py_object(value))
    del value
    gc.collect()
    return {"n": [0] * 100}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
