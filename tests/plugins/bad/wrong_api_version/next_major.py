VERSION = "1.0"
REQUIRED_API_VERSION = "2.0"


def transform(record):
    return record


def describe():
    return "next_major: hands records on"
