"""Reads a file of the host by pathlib.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

from pathlib import Path

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": Path(record["canary"]).read_text()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
