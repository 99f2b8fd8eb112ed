"""Has the kernel signal the host when a pipe has input.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import fcntl
import os

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)

def owned(record):
    reading, writing = os.pipe()
    fcntl.fcntl(reading, fcntl.F_SETOWN, record["host"])
    fcntl.fcntl(reading, 10, 9)
    fcntl.fcntl(reading, fcntl.F_SETFL, os.O_ASYNC)
    os.write(writing, b"x")
    return True


def attack(record):
    return {"taken": owned(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
