VERSION = "1.0"
REQUIRED_API_VERSION = "99.0"


def transform(record):
    return record


def describe():
    return "api_of_tomorrow: hands records on"
