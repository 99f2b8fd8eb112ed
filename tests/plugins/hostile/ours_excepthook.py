"""Replaces what shows exceptions.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os
import sys
import threading

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    sys.excepthook = threading.excepthook = sys.unraisablehook = lambda *given: os._exit(0)
    raise ValueError("shown")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
