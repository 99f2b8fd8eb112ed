"""Changes its own file, which is trusted.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open(__file__, "a").write("\nEVIL = True\n")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
