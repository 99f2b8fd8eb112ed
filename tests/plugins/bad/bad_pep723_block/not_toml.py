# /// script
# dependencies = [rapidfuzz
# ///
"""Forgot the quotes."""


def transform(record):
    return record


def describe():
    return "not_toml: hands records on"
