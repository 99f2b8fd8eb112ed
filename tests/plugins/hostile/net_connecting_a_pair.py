"""Connects one end of a pair elsewhere.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.socketpair()[0].connect("\0" + record["abstract"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
