# /// script
# dependencies = [rapidfuzz
# ///
"""Match company names against a list."""


def transform(record):
    return record


def describe():
    return "block_unreadable: hands records on"
