"""Raises with a traceback that it made up.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import types

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    try:
        raise ValueError
    except ValueError as error:
        trace = error.__traceback__
        for _ in range(5000):
            trace = types.TracebackType(trace, trace.tb_frame, 0, -1)
        raise error.with_traceback(trace)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
