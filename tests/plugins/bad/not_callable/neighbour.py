"""A good plugin, which the broken ones beside it must not touch."""


def transform(record):
    return record


def describe():
    return "neighbour: hands records on"
