"""Packs a folder of the host into an archive.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import shutil
import zipfile

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

def pack(record):
    path = shutil.make_archive(record["granted"] + "/all", "zip", record["outside"])
    names = [name for name in zipfile.ZipFile(path).namelist() if "canary" in name]
    if not names:
        raise PermissionError("nothing could be listed")
    return names


def attack(record):
    return {"taken": pack(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
