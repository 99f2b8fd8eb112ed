"""Returns a value that ends its process when it is looked at.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""


TRIES = "values"
MUST = "fail"
LEVELS = ("process", "sandbox")


class Key:
    def __repr__(self):
        raise SystemExit(7)


def attack(record):
    return {"x": {Key(): 1}}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
