"""Makes a process in a namespace of its own.

Must hold: there is no namespace.
"""

import subprocess

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    if subprocess.run(["/usr/bin/unshare", "-r", "true"]).returncode == 0:
        return {"taken": True}
    raise PermissionError("none")


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
