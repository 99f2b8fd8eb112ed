"""Leaves a job for the machine to run.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open("/etc/cron.d/hostile", "x").close()
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
