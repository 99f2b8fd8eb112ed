"""Has a child die in every way.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    for number in (6, 9, 11):
        if os.fork() == 0:
            os.kill(os.getpid(), number)
            os._exit(0)
    for _ in range(3):
        os.wait()
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
