"""Looks for a token where its process got its variables in memory.

Must hold: they are not there.
"""

import ctypes

TRIES = "secrets of the host"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    found = []
    pointer = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    at = 0
    while pointer and pointer[at]:
        found.append(pointer[at].decode(errors="replace"))
        at += 1
    return {"taken": found} if any("CANARY" in one for one in found) else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
