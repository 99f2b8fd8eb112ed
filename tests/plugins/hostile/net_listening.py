"""Listens for others.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.create_server(("127.0.0.1", 0)).getsockname()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
