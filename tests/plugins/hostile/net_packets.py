"""Makes a pair of sequenced packets.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
