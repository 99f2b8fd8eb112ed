"""Forks twice, to live on without its parent.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import time

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def daemonized():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(600)
        os._exit(0)
    return True


def attack(record):
    return {"taken": daemonized()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
