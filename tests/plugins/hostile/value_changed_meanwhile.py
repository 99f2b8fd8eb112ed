"""Returns a dict that a thread of its goes on changing.

Must hold: whatever becomes of the record, the other records are answered.
"""

import datetime
import threading

TRIES = "values"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    kept = {}

    def change():
        number = 0
        while True:
            number += 1
            kept[str(number % 3000)] = datetime.date(2020, 1, 1)
            if number % 7 == 0:
                kept.pop(str(number * 13 % 3000), None)

    threading.Thread(target=change, daemon=True).start()
    return kept


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
