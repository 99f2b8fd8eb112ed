"""Kills the host by a handle of it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import signal

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": signal.pidfd_send_signal(os.pidfd_open(record["host"]), signal.SIGKILL) is None}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
