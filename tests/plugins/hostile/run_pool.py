"""Starts a pool of processes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

from concurrent.futures import ProcessPoolExecutor

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": ProcessPoolExecutor(1).submit(int).result(2)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
