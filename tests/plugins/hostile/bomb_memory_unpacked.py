"""Unpacks a few bytes to too many.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import zlib

TRIES = "using up"
MUST = "fail"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 268435456}


def attack(record):
    packed = b"\x00" * (1 << 20)
    for _ in range(2):
        packed = zlib.compress(packed, 9)
    return {"n": len(zlib.decompress(zlib.compress(bytes(1 << 30))))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
