"""Raises in a file whose name cannot be written down.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")

exec(compile("def attack(record): raise ValueError(1)", "\ud800\x1b[2J", "exec"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
