"""Reads the log of the kernel.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open("/dev/kmsg").read(1)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
