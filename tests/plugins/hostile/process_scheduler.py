"""Lets the host run only when nothing else does.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.sched_setscheduler(record["host"], os.SCHED_IDLE, os.sched_param(0)) is None}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
