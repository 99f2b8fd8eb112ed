"""Takes memory until there is none.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

TRIES = "using up"
MUST = "fail"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 268435456}


def attack(record):
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
