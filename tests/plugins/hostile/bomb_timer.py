"""Has itself interrupted again and again.

Must hold: whatever becomes of the record, the other records are answered.
"""

import signal

TRIES = "using up"
MUST = "any"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 5}


def attack(record):
    signal.signal(signal.SIGALRM, lambda *given: None)
    signal.setitimer(signal.ITIMER_REAL, 0.0001, 0.0001)
    for _ in range(100000):
        pass
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
