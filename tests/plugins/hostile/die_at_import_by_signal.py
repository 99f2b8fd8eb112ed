"""Is killed while it is loaded.

Must hold: the plugin is not loaded, for a reason that names it.
"""

import os
import signal

TRIES = "dying"
MUST = "unloadable"
LEVELS = ("process", "sandbox")

os.kill(os.getpid(), signal.SIGSEGV)


def attack(record):
    return record


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
