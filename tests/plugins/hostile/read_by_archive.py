"""Packs a folder of the host into an archive.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import shutil

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

def pack(record):
    return shutil.make_archive(record["granted"] + "/all", "zip", record["outside"])


def attack(record):
    return {"taken": pack(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
