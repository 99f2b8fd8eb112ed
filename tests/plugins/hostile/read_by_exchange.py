"""Exchanges a file of the host with its own.

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
    mine = record["granted"] + "/mine"
    open(mine, "w").close()
    syscall(316, -100, mine.encode(), -100, record["canary"].encode(), 2)
    return open(mine).read()


def attack(record):
    return {"taken": taken(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
