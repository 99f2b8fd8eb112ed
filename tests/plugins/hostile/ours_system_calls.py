"""Replaces what reads and writes.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    for name in ("read", "write", "readv", "writev", "_exit", "kill", "getpid"):
        setattr(os, name, lambda *given: 0)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
