"""Never ends to load.

Must hold: the plugin is not loaded, for a reason that names it.
"""

TRIES = "using up"
MUST = "unloadable"
LEVELS = ("process", "sandbox")
LIMITS = {"timeout_seconds": 3}

while True:
    pass


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
