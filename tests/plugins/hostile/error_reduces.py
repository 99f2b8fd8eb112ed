"""Raises what runs a command where it is unpickled.

Must hold: nothing is unpickled: the file is not made.
"""

import os

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    class Bad(Exception):
        def __reduce__(self):
            return os.system, (f"touch {record['outside']}/taken",)


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
