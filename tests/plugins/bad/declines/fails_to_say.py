"""Breaks while it is asked: rejected, not declined."""


def available():
    raise OSError("the device is on fire")


def transform(record):
    return record


def describe():
    return "fails_to_say: burns"
