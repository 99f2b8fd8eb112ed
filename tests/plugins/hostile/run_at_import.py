"""Runs a program while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import subprocess

TRIES = "programs"
MUST = "unloadable"
LEVELS = ("sandbox",)

subprocess.run(["/bin/true"], check=True)


def attack(record):
    return {"taken": 1}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
