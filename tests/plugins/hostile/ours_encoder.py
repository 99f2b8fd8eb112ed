"""Replaces what makes messages of values.

Must hold: whatever becomes of the record, the other records are answered.
"""

import sys

TRIES = "our own code"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    import msgspec

    msgspec.msgpack.encode = msgspec.msgpack.Encoder = lambda *given, **named: b"\xff"
    msgspec.msgpack.decode = msgspec.msgpack.Decoder = lambda *given, **named: {"taken": True}
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
