"""Opens a file of the host where another thread changes the name meanwhile.

Must hold: the record fails as this plugin's fault, and the other records are answered.
"""

import ctypes
import os
import threading

TRIES = "file theft"
MUST = "fail"
LEVELS = ("sandbox",)

LIBC = ctypes.CDLL(None, use_errno=True)


def race(record):
    """Change the path between the check and the use, which holds against filters that look at it."""
    harmless = b"/usr/lib/os-release"
    name = ctypes.create_string_buffer(harmless, 4096)
    done = threading.Event()

    def change():
        while not done.is_set():
            name.value = record["canary"].encode()
            name.value = harmless

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(2000):
            descriptor = LIBC.open(name, 0)
            if descriptor >= 0:
                content = os.read(descriptor, 99)
                os.close(descriptor)
                if content.startswith(b"CANARY"):
                    return content.decode()
    finally:
        done.set()
        thread.join()
    raise PermissionError("never")


def attack(record):
    return {"taken": race(record)}


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
