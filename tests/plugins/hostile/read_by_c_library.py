"""Opens a file of the host by the C library.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

LIBC = ctypes.CDLL(None, use_errno=True)


def read(path):
    descriptor = LIBC.open(path.encode(), 0)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "refused")
    buffer = ctypes.create_string_buffer(99)
    LIBC.read(descriptor, buffer, 99)
    return buffer.value.decode()


def attack(record):
    return {"taken": read(record["canary"])}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
