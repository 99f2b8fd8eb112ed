"""Reads a file of the host as settings.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import configparser

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

def read(path):
    parser = configparser.ConfigParser()
    with open(path) as file:
        parser.read_file(file)
    return parser.sections()


def attack(record):
    return {"taken": read(record["canary"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
