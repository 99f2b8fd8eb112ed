"""Connects to the host by TCP over IPv6.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.socket(socket.AF_INET6, socket.SOCK_STREAM).connect(("::1", record["port"]))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
