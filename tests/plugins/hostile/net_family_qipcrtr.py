"""Makes a socket of the family qipcrtr, for what it is or for a bug of the kernel in it.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(socket.socket(42, 2, 0))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
