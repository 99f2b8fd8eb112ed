"""Raises what is no Exception.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "dying"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    class Mine(BaseException):
        pass


    raise Mine


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
