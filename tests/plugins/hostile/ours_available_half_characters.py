"""Says why it does not apply here in a text that cannot be written down.

Must hold: it is not loaded, and the blame is on it.
"""

TRIES = "our own code"
MUST = "unloadable"
LEVELS = ("process", "sandbox")


def available():
    return "\ud800\x1b[2J" * 20_000


def transform(record):
    return record


def describe():
    return "hostile"
