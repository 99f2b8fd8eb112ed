"""Makes a lock that outlives it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import multiprocessing

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    multiprocessing.Lock()
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
