"""Opens the host's first descriptors by their links.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": [open(f"/proc/{record['host']}/fd/{n}", "rb").read(1) for n in range(3, 20)]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
