"""Opens its own memory as a file, to write where it is protected.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": open("/proc/self/mem", "r+b").read(1)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
