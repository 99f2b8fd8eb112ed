"""Writes a pickle that runs a command into every pipe.

Must hold: nothing is unpickled: the file is not made.
"""

import pickle
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
    class Run:
        def __reduce__(self):
            return os.system, (f"touch {record['outside']}/taken",)


    for data in (pickle.dumps(Run()), pickle.dumps(Run(), 2)):
        send(data)
        send(len(data).to_bytes(4, "little") + data)
        send(len(data).to_bytes(4, "big") + data)
        send(b"\x80" + data)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
