"""A script with its own ideas of when a program is over."""

import sys

sys.exit(3)


def transform(record):
    return record


def describe():
    return "quits: ends the program"
