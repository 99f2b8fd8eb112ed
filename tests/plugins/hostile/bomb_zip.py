"""Unpacks a text of kilobytes to one of gigabytes.

Must hold: the record fails or the worker dies, within its memory.
"""

import zlib

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 20, "memory_bytes": 300_000_000}


def attack(record):
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(2**24)) for _ in range(64)) + packer.flush()
    found = zlib.decompress(zlib.decompress(zlib.compress(packed)))
    return {"n": len(found * 8)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
