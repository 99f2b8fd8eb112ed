"""Goes on answering for ever once it was told to end.

Must hold: the record is answered, and its host is not kept.
"""

import atexit
import os
import stat
import time

TRIES = "using up"
MUST = "answer"
LEVELS = ("process", "sandbox")


def answer():
    content = b"\x93\xa4done\x01\xc0"
    while True:
        for number in range(3, 300):
            try:
                if stat.S_ISFIFO(os.fstat(number).st_mode):
                    os.write(number, len(content).to_bytes(4, "little") + content)
            except OSError:
                continue
        time.sleep(0.02)


def attack(record):
    atexit.register(answer)
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
