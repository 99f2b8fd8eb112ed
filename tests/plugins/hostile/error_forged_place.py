"""Raises from code that says it is the host's.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    exec(compile("\n" * 2000000 + "raise ValueError", "host.py\n\x1b[2J", "exec"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
