"""Watches the whole disk.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = LIBC.syscall(number, *arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def attack(record):
    return {"taken": syscall(300, 0, 0)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
