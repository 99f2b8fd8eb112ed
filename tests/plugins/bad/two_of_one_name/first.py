PLUGIN_NAME = "clean"
VERSION = "1.0"


def transform(record):
    return record


def describe():
    return "first: hands records on"
