"""Sends logs to another machine.

Must hold: nothing arrives.
"""

import logging.handlers

TRIES = "network"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    return {"taken": logging.handlers.SysLogHandler(("127.0.0.1", record["port"])).emit(logging.makeLogRecord({"msg": "CANARY"}))}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
