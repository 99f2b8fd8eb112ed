"""Reads a file of the host from a thread of its own.

Must hold: the thread is in the sandbox, too.
"""

import threading

TRIES = "file theft"
MUST = "any"
LEVELS = ("sandbox",)

threading.excepthook = lambda given: None


def attack(record):
    found = []


    def read():
        found.append(open(record["canary"]).read())


    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    return {"taken": found[0]} if found else record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
