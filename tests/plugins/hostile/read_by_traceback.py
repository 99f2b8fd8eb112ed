"""Lets a file of the host be shown as source of a line.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    code = compile("\n\n\nraise ValueError", record["canary"], "exec")
    exec(code)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
