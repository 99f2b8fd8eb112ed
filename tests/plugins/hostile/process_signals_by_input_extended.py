"""Has the kernel signal the host by the newer call for it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)

def owned(record):
    reading, writing = os.pipe()
    fcntl.fcntl(reading, 15, (1).to_bytes(4, "little") + record["host"].to_bytes(4, "little"))
    return True


def attack(record):
    return {"taken": owned(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
