"""Opens for reading what it could open as a name only.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

def read(path):
    name = os.open(path, os.O_PATH)
    return open(f"/proc/self/fd/{name}").read()


def attack(record):
    return {"taken": read(record["canary"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
