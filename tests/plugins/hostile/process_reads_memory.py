"""Reads the memory of the host by one call.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)

LIBC = ctypes.CDLL(None, use_errno=True)


def syscall(number, *arguments):
    result = LIBC.syscall(number, *arguments)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def read(host):
    buffer = ctypes.create_string_buffer(8)
    here = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 8)
    return syscall(310, host, here, 1, here, 1, 0)


def attack(record):
    return {"taken": read(record["host"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
