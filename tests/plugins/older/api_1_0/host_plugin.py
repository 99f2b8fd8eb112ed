"""A plugin of a host of its own, which knows nothing of records."""

REQUIRED_API_VERSION = "1.0"


def available():
    return True


def greet(name):
    return f"hello {name}"
