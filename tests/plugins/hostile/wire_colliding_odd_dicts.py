"""Sends many odd dicts whose keys are tuples that all have one hash.

Must hold: the worker is ended at once, and the other records are answered.
"""

import os
import stat
from itertools import islice, product

TRIES = "the wire"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}

def pipes():
    """Return the pipes that this process has, its standard streams apart."""
    found = []
    for number in range(3, 300):
        try:
            if stat.S_ISFIFO(os.fstat(number).st_mode):
                found.append(number)
        except OSError:
            continue
    return found


def send(data):
    for number in pipes():
        try:
            os.set_blocking(number, False)
            os.write(number, data)
        except OSError:
            continue


def attack(record):
    keys = islice(product(b"\xff\xfe", repeat=16), 9_000)
    pairs = b"\xdc" + (18_000).to_bytes(2, "big")
    pairs += b"".join(b"\xc7\x13\x03\xdc\x00\x10" + bytes(key) + b"\x01" for key in keys)
    odd = b"\xc9" + len(pairs).to_bytes(4, "big") + b"\x0e" + pairs
    data = b"\x93\xa4done\x03\x94" + 4 * odd
    send(len(data).to_bytes(4, "little") + data)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
