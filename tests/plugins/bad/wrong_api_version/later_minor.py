VERSION = "1.0"
REQUIRED_API_VERSION = "1.7"


def transform(record):
    return record


def describe():
    return "later_minor: hands records on"
