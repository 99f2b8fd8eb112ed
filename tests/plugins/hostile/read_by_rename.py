"""Renames a file of the host into a folder that it may read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

def taken(record):
    os.rename(record["canary"], record["granted"] + "/renamed")
    return open(record["granted"] + "/renamed").read()


def attack(record):
    return {"taken": taken(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
