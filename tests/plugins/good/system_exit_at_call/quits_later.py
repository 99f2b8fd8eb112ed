"""Loads well, and ends the program when it is called."""

import sys


def transform(record):
    if record.get("poison"):
        sys.exit(f"cannot go on with {record['poison']}")
    return record


def describe():
    return "quits_later: exits at poisoned records"
