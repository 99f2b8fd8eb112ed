"""Returns an object that runs a command where it is unpickled.

Must hold: nothing is unpickled: the file is not made.
"""

import os

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Run:
        def __reduce__(self):
            return os.system, (f"touch {record['outside']}/taken",)


    return {"n": Run()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
