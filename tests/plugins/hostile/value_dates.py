"""Returns the ends of time.

Must hold: whatever becomes of the record, the other records are answered.
"""

import datetime

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")

class Bad(datetime.tzinfo):
    def utcoffset(self, when):
        raise SystemError

    dst = tzname = utcoffset


def attack(record):
    return {"n": datetime.datetime.min, "m": datetime.datetime.max.replace(tzinfo=Bad())}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
