"""Climbs out of a folder that it may read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["granted"]}


def attack(record):
    return {"taken": open(record["granted"] + "/../outside/canary_module.py").read()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
