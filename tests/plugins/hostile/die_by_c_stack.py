"""Uses up the stack of C.

Must hold: whatever becomes of the record, the other records are answered.
"""

import re
import threading

TRIES = "dying"
MUST = "any"
LEVELS = ("process", "sandbox")


def attack(record):
    threading.stack_size(1 << 16)
    thread = threading.Thread(target=re.compile, args=("(" * 500 + ")" * 500,))
    thread.start()
    thread.join()
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
