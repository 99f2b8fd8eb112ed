"""Connects while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import socket

TRIES = "network"
MUST = "unloadable"
LEVELS = ("sandbox",)

socket.socket(socket.AF_UNIX).connect("\0hostile")


def attack(record):
    return {"taken": 1}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
