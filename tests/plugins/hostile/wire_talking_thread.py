"""Writes from a thread, between the answers.

Must hold: whatever becomes of the record, the other records are answered.
"""

import threading
import time
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
    def talk():
        for _ in range(200):
            send(b"\x05\x00\x00\x00\x93\x01\x02")
            time.sleep(0.001)


    threading.Thread(target=talk, daemon=True).start()
    time.sleep(0.05)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
