"""Dies in another thread.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import os
import threading
import time

TRIES = "dying"
MUST = "die"
LEVELS = ("process", "sandbox")


def attack(record):
    threading.Thread(target=os._exit, args=(7,)).start()
    time.sleep(10)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
