"""Goes through all objects of its process for a token of the host.

Must hold: nothing of the host is in its process.
"""

import gc

TRIES = "secrets of the host"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    found = [one for one in gc.get_objects() if isinstance(one, dict) and any("CANARY_TOKEN" == key for key in one)]
    return {"taken": len(found)} if found else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
