"""Uses up more of the processor than it may.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

TRIES = "using up"
MUST = "die"
LEVELS = ("process", "sandbox")
LIMITS = {"cpu_seconds": 1, "timeout_seconds": 20}


def attack(record):
    while True:
        pass


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
