"""Reads what a program says.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def said():
    return os.popen("echo taken").read() or [][0]


def attack(record):
    return {"taken": said()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
