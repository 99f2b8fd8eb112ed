"""Run as a script once, and still one."""

import sys


def transform(record):
    return record


def describe():
    return "exits: ends"


sys.exit("usage: exits.py FILE")
