"""Opens the memory of the machine for writing.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open("/dev/mem", "r+b")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
