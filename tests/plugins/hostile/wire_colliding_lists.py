"""Sends a dict whose keys are lists that all have one hash: telling 50,000 apart takes two minutes.

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
    # hash(-1) == hash(-2), and so it is with tuples of them; a list as a key would become a tuple.
    keys = islice(product(b"\xff\xfe", repeat=16), 50_000)
    entries = b"".join(b"\xdc\x00\x10" + bytes(key) + b"\x01" for key in keys)
    data = b"\x93\xa4done\x03\xde" + (50_000).to_bytes(2, "big") + entries
    send(len(data).to_bytes(4, "little") + data)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
