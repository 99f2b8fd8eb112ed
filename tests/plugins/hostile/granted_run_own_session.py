"""Leaves the session in which it is ended.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import time

TRIES = "programs that are granted"
MUST = "fail"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    if os.fork() == 0:
        try:
            os.setsid()
        except OSError:
            os._exit(1)
        time.sleep(600)
    _, status = os.wait()
    if status == 0:
        return {"taken": True}
    raise PermissionError("no session of its own")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
