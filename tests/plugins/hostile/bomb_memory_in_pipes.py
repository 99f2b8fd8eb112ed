"""Takes memory of the kernel by pipes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "using up"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    kept = []
    while True:
        kept.append(os.pipe())


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
