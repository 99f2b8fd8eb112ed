"""Makes a socket of a protocol that few look at.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
