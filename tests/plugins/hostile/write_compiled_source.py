"""Puts compiled code of its own where that of its neighbour is looked for.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    folder = os.path.join(os.path.dirname(__file__), "__pycache__")
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, "neighbour.cpython-311.pyc"), "wb").close()
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
