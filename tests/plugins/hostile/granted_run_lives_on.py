"""Leaves a program running.

Must hold: the program ends with the worker.
"""

import subprocess

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    subprocess.Popen(["/bin/sleep", "600"])
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
