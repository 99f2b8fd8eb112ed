"""Becomes a program that it wrote.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

def written(record):
    path = record["granted"] + "/script"
    with open(path, "w") as file:
        file.write("#!/bin/sh\n")
    os.execv(path, [path])


def attack(record):
    return {"taken": written(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
