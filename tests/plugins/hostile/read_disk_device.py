"""Reads the disk past its files.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": [open("/dev/" + name, "rb").read(1) for name in ("vda", "sda", "nvme0n1")]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
