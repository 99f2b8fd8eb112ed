"""Connects to the host by TCP.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(socket.create_connection(("127.0.0.1", record["port"]), 2))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
