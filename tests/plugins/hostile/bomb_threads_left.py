"""Leaves threads running.

Must hold: the record is answered with plain data, and so are the others.
"""

import threading
import time

TRIES = "using up"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for _ in range(3):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
