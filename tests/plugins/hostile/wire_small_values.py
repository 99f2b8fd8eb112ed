"""Sends a million values of one byte, with one among them that only the slower of the decoders knows.

Must hold: the worker is ended in time, and the other records are answered.
"""

import os
import stat

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
    data = b"\x93\xa4done\x03\xdd" + (1_000_000).to_bytes(4, "big") + b"\xc4\x01x" + 999_999 * b"\xc0"
    send(len(data).to_bytes(4, "little") + data)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
