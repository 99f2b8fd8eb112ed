"""Hangs a program of its own on a pair of sockets.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.socketpair()[0].setsockopt(socket.SOL_SOCKET, 26, (1).to_bytes(8, "little") + bytes(8))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
