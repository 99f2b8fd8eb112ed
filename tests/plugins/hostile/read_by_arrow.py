"""Maps a file of the host by a library.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import pyarrow

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": pyarrow.memory_map(record["canary"]).read().decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
