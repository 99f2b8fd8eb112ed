"""Sends to an abstract name by one end of a pair of datagrams.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"CANARY", "\0" + record["abstract"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
