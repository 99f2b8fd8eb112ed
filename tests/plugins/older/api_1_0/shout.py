"""Make texts loud."""

VERSION = "1.0"
REQUIRED_API_VERSION = "1.0"


def transform(record):
    if record.get("name") is None:
        return None
    return {key: value.upper() if isinstance(value, str) else value for key, value in record.items()}


def describe():
    return "shout: makes texts loud"
