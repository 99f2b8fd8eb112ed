"""Raises what has a class that does as it likes.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "exceptions"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    class Meta(type):
        def __getattribute__(cls, name):
            raise SystemError(name)


    class Bad(Exception, metaclass=Meta):
        pass


    raise Bad


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
