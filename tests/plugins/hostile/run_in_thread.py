"""Runs a program from a thread, whatever that is held to.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
from concurrent.futures import ThreadPoolExecutor

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def threaded():
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(os.posix_spawn, "/bin/true", ["true"], {}).result()


def attack(record):
    return {"taken": threaded()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
