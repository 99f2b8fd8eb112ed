"""Leaves a socket in a folder.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import socket

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}


def attack(record):
    socket.socket(socket.AF_UNIX).bind(record["granted"] + "/socket")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
