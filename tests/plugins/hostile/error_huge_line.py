"""Raises from a line of ten megabytes.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    exec(compile("x = " + "[" * 50 + "]" * 50 + " " * (10 << 20) + ";raise ValueError", "line", "exec"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
