"""Takes in a descriptor by a message of its own.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.socketpair()[0].recvmsg(1, 100)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
