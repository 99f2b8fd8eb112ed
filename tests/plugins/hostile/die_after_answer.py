"""Dies a moment after it has answered.

Must hold: the record is answered, and whichever is worked on then is named.
"""

import os
import threading

TRIES = "dying"
MUST = "any"
LEVELS = ("process", "sandbox")
OTHERS = "any"


def attack(record):
    threading.Timer(0.02, os._exit, (1,)).start()
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
