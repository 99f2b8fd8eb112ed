"""Freezes the collector, hangs in a callback of it, and leaves garbage with destructors.

Must hold: the record ends in time.
"""

import gc
import time

TRIES = "using up"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


class Hanging:
    def __init__(self):
        self.itself = self

    def __del__(self):
        time.sleep(1000)


def attack(record):
    gc.freeze()
    gc.callbacks.append(lambda *_: time.sleep(1000))
    Hanging()
    gc.collect()
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
