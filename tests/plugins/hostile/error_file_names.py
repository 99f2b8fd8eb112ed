"""Raises a mistake of syntax in the file of another.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    raise SyntaxError("x", ("/etc/passwd", 1, 1, "y" * (1 << 20)))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
