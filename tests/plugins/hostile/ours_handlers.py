"""Handles every signal.

Must hold: the record is answered with plain data, and so are the others.
"""

import signal

TRIES = "our own code"
MUST = "answer"
LEVELS = ("process", "sandbox")


def attack(record):
    for number in signal.valid_signals():
        try:
            signal.signal(number, lambda *given: None)
        except (OSError, ValueError):
            continue
    return {"n": record["n"]}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
