"""Links a name that it opened into a folder that it may read.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)
GRANTS = {"write": ["granted"]}

LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = LIBC.syscall(number, *arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def taken(record):
    name = os.open(record["canary"], os.O_PATH)
    syscall(265, name, b"", -100, (record["granted"] + "/linked").encode(), 0x1000)
    return open(record["granted"] + "/linked").read()


def attack(record):
    return {"taken": taken(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
