"""Reads the state of the host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open(f"/proc/{record['host']}/status").read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
