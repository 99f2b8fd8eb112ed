"""Raises from a deep place.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    def deeper(at):
        if at:
            deeper(at - 1)
        else:
            raise ValueError("deep")


    deeper(900)


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
