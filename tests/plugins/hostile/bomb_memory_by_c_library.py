"""Takes memory past Python.

Must hold: whatever becomes of the record, the other records are answered.
"""

import ctypes

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 268435456}


def attack(record):
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    for _ in range(100000):
        found = libc.malloc(1 << 20)
        if not found:
            raise MemoryError
        ctypes.memset(found, 1, 1 << 20)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
