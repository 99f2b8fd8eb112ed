"""Has Python start a program by a module that does.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import webbrowser

TRIES = "programs"
MUST = "fail"
LEVELS = ("sandbox",)

def opened():
    if not webbrowser.get("/bin/true %s").open("http://example.org"):
        raise PermissionError("none")
    return True


def attack(record):
    return {"taken": opened()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
