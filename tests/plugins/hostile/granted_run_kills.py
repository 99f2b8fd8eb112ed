"""Has a program kill the host.

Must hold: the program is in the same sandbox.
"""

import subprocess

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    if subprocess.run(["/bin/sh", "-c", f"kill -9 {record['host']}"]).returncode == 0:
        return {"taken": True}
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
