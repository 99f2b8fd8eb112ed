"""Asks the socket that it ends by for a handle of the process at the other end: its host.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os
import stat

TRIES = "other processes"
MUST = "fail"
LEVELS = ("sandbox",)

LIBC = ctypes.CDLL(None, use_errno=True)
SOL_SOCKET, SO_PEERPIDFD = 1, 77


def attack(record):
    code = 0
    for number in range(256):
        try:
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
        except OSError:
            continue
        handle, size = ctypes.c_int(-1), ctypes.c_uint(4)
        if LIBC.getsockopt(number, SOL_SOCKET, SO_PEERPIDFD, ctypes.byref(handle), ctypes.byref(size)) == 0:
            return {"taken": handle.value}
        code = ctypes.get_errno()
    raise OSError(code, os.strerror(code))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
