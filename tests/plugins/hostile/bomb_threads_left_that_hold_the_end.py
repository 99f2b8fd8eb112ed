"""Leaves a thread running that Python waits for at its end.

Must hold: the host ends in time.
"""

import threading
import time

TRIES = "using up"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    threading.Thread(target=time.sleep, args=(600,)).start()
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
