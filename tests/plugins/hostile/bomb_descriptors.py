"""Opens files until there are no more.

Must hold: whatever becomes of the record, the other records are answered.
"""

TRIES = "using up"
MUST = "any"
LEVELS = ("sandbox",)


def attack(record):
    kept = []
    while True:
        kept.append(open("/dev/null"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
