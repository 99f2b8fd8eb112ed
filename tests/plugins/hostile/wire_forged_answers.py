"""Answers for all records that there may be, in every form that it can think of.

Must hold: no forged answer is given for a record of another number.
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
    import msgspec

    for kind in ("answer", "answers", "done", "result", "returned", "ready", "loaded", "raised", "failed", 0, 1, 2, 3):
        for number in range(20):
            for value in ({"taken": "forged"}, [{"taken": "forged"}], None):
                for message in ([kind, number, value], [number, kind, value], {"kind": kind, "id": number, "value": value}):
                    data = msgspec.msgpack.encode(message)
                    send(len(data).to_bytes(4, "little") + data)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
