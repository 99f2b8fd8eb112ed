"""Makes a socket of the family bluetooth, for what it is or for a bug of the kernel in it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(socket.socket(31, 3, 0))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
