"""Opens a file of the host by its handle, past all folders.

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


def opened(path):
    handle = ctypes.create_string_buffer((8).to_bytes(4, "little") + bytes(132), 136)
    mount = ctypes.c_int()
    syscall(303, -100, path.encode(), handle, ctypes.byref(mount), 0)
    root = os.open("/usr/lib", os.O_RDONLY)
    return os.read(syscall(304, root, handle, 0), 99).decode()


def attack(record):
    return {"taken": opened(record["canary"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
