"""Makes a raw socket where it may use the network.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)
LIMITS = {"net": True}


def attack(record):
    return {"taken": repr(socket.socket(socket.AF_PACKET, socket.SOCK_RAW))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
