"""Puts a folder of the host on the path, and imports from it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import sys

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(__file__)), "outside"))


def attack(record):
    return {"taken": __import__("canary_module").SECRET}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
