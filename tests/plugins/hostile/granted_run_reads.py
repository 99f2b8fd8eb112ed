"""Has a program read a file of the host.

Must hold: the program is in the same sandbox.
"""

import subprocess

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    return {"taken": subprocess.run(["/bin/cat", record["canary"]], capture_output=True, check=True).stdout.decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
