"""Links a file that it may only read into a folder that it may write, and writes to that.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import os

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"read": ["outside"], "write": ["granted"]}


def attack(record):
    link = record["granted"] + "/linked"
    os.link(os.path.join(os.path.dirname(record["granted"]), "outside", "canary_module.py"), link)
    open(link, "a").write("x")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
