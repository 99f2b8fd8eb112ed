"""Ends the process between two records.

Must hold: whatever becomes of the record, the other records are answered.
"""

import os

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    def results():
        yield record
        os._exit(0)


    return results()


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
