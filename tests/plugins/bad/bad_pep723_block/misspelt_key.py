# /// script
# dependencies = []
# [tool.plugline]
# nmae = "fuzzy"
# ///
"""Misspells a key of ours."""


def transform(record):
    return record


def describe():
    return "misspelt_key: hands records on"
