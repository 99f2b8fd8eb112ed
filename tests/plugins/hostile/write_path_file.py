"""Leaves a file that every Python runs when it starts.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os
import sysconfig

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open(os.path.join(sysconfig.get_path("purelib"), "evil.pth"), "x").close()
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
