"""Takes the host's files away.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import resource

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": resource.prlimit(record["host"], resource.RLIMIT_NOFILE, (3, 3))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
