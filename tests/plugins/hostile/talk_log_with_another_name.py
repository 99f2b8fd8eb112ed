"""Logs in the name of the host.

Must hold: whatever becomes of the record, the other records are answered.
"""

import logging

TRIES = "talking"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    logging.getLogger("plugline.host").critical("your disk is on fire")
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
