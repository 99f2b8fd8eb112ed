"""Runs a program.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import subprocess

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": subprocess.run(["/bin/cat", record["canary"]], capture_output=True, check=True).stdout.decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
