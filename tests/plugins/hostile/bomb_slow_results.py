"""Returns records that never come.

Must hold: whatever becomes of the record, the other records are answered.
"""

import time

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


def attack(record):
    def results():
        yield record
        time.sleep(600)


    return results()


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
