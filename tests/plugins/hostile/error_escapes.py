"""Raises with text that draws on the terminal.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise ValueError("\x1b[2J\x1b[H\rerror[P999] all is well\n\u202e")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
