"""Loads a file of the host as certificates, and reads the error.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ssl

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": ssl.create_default_context(cafile=record["canary"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
