"""Calls by the numbers of a 32-bit machine, which a filter may take for others.

Must hold: the worker's death costs this record, the other records are answered by the next worker.
"""

import ctypes

TRIES = "the kernel"
MUST = "die"
LEVELS = ("sandbox",)


def attack(record):
    import mmap

    # mov eax, 20 (getpid there, writev here); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    return {"taken": ctypes.CFUNCTYPE(ctypes.c_int)(address)()}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
