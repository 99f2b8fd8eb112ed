"""Opens a file of the host by a module that reads compressed ones.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import gzip

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": gzip.open(record["canary"]).read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
