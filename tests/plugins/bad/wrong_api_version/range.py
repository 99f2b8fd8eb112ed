# /// script
# [tool.plugline]
# api = ">=1.5,<2"
# ///
"""Asks for a range that 1.2 is below."""


def transform(record):
    return record


def describe():
    return "range: hands records on"
