"""Opens files until there are no more.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "using up"
MUST = "fail"
LEVELS = ("sandbox",)


def attack(record):
    kept = []
    while True:
        kept.append(open("/dev/null"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
