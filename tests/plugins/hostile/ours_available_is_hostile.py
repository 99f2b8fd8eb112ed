"""Gives a reason that would draw on the terminal.

Must hold: the plugin is not loaded, for a reason that names it.
"""

TRIES = "our own code"
MUST = "unloadable"
LEVELS = ("process", "sandbox")

def available():
    return "\x1b[2J\nall is well\n" * 1000


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
