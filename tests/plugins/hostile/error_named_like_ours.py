"""Raises what is named like an error of plugline.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise type("WorkerCrashed\n\x1b[2J", (Exception,), {"__module__": "plugline.errors"})("forged")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
