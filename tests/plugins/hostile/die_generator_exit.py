"""Raises what ends generators.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "dying"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise GeneratorExit


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
