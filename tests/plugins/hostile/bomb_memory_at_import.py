"""Takes memory while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

TRIES = "using up"
MUST = "unloadable"
LEVELS = ("process", "sandbox")
LIMITS = {"memory_bytes": 268435456}

kept = []
while True:
    kept.append(bytearray(1 << 22))


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
