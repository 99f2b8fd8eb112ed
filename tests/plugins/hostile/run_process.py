"""Starts a process of Python's.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import multiprocessing

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def started(method):
    process = multiprocessing.get_context(method).Process(target=print)
    process.start()
    process.join(2)
    return True


def attack(record):
    return {"taken": started("fork")}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
