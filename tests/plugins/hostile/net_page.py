"""Fetches a page.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import urllib.request

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": urllib.request.urlopen(f"http://127.0.0.1:{record['port']}/", timeout=2).read().decode()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
