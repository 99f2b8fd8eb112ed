"""Sends a mail.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import smtplib

TRIES = "network"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": repr(smtplib.SMTP("127.0.0.1", record["port"], timeout=2))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
