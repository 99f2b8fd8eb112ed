# /// script
# dependencies = "rapidfuzz>=3"
# [tool.plugline]
# version = 1.4
# api = [1, 2]
# ///
"""Three values of the wrong type."""


def transform(record):
    return record


def describe():
    return "wrong_types: hands records on"
