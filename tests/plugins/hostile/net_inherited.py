"""Takes every descriptor for a socket, and asks where it leads.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)

def taken():
    found = []
    for number in range(300):
        try:
            name = socket.socket(fileno=number).getsockname()
        except OSError:
            continue
        if name:  # what ends the worker with its host is a socket, and leads nowhere
            found.append(name)
    if not found:
        raise PermissionError("none is one")
    return found


def attack(record):
    return {"taken": taken()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
