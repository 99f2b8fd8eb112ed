"""Fetches a page by the lower module.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

from http.client import HTTPConnection

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)

def client(port):
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    connection.request("GET", "/CANARY")
    return connection.getresponse().status


def attack(record):
    return {"taken": client(record["port"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
