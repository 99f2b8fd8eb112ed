"""Makes a file without a name in a folder of the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    os.open(record["outside"], os.O_TMPFILE | os.O_RDWR)
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
