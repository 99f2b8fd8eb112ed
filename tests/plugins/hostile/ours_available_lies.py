"""Gives a reason that is no reason.

Must hold: the plugin is not loaded, for a reason that names it.
"""

TRIES = "our own code"
MUST = "unloadable"
LEVELS = ("process", "sandbox")

def available():
    return {"reason": object()}


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
