"""Lets the interpreter itself write tracebacks into every pipe, again and again.

Must hold: whatever becomes of the record, the other records are answered.
"""

import faulthandler
import os
import stat
import time

TRIES = "the wire"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}
OTHERS = "any"

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
    for number in pipes():
        os.set_blocking(number, False)
        faulthandler.dump_traceback_later(0.01, repeat=True, file=number)
        faulthandler.dump_traceback(file=number)
    time.sleep(0.1)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
