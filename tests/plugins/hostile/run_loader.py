"""Has the loader of libraries run a program.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": os.execv("/lib64/ld-linux-x86-64.so.2", ["ld", "/bin/true"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
