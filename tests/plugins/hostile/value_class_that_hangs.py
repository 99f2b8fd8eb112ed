"""Returns an object whose class never says what it is.

Must hold: the record times out, and the other records are answered.
"""


TRIES = "values"
MUST = "time out"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}


class Kind(type):
    @property
    def __module__(cls):
        while True:
            pass


class Value(metaclass=Kind):
    pass


def attack(record):
    return {"x": Value()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
