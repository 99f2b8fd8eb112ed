"""Asks for the address of a name, which tells a name server whatever the name says.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": socket.getaddrinfo("canary.example.org", 80)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
