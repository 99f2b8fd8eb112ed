"""Attaches a file of the host as a database.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import sqlite3

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": sqlite3.connect("file:" + record["canary"] + "?mode=ro", uri=True).execute("pragma user_version").fetchone()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
