"""Has a program connect to the host.

Must hold: the program is in the same sandbox.
"""

import subprocess
import sys

TRIES = "programs that are granted"
MUST = "any"
LEVELS = ("sandbox",)
LIMITS = {"run": True}


def attack(record):
    code = f"import socket; socket.create_connection(('127.0.0.1', {record['port']}))"
    if subprocess.run([sys.executable, "-I", "-c", code], capture_output=True).returncode == 0:
        return {"taken": True}
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
