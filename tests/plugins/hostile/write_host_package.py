"""Changes the code of plugline itself.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import plugline

TRIES = "writes"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    open(plugline.__file__, "a").write("\n")
    return {"taken": True}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
