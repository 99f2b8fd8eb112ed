"""Asks for an address by the C library.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)

def asked():
    if ctypes.CDLL(None).gethostbyname(b"canary.example.org") == 0:
        raise OSError("no such name")
    return True


def attack(record):
    return {"taken": asked()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
