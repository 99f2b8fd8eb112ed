"""Logs and prints what looks like lines of its host, and moves the cursor in tracebacks.

Must hold: the record fails, and nothing that was told begins a line, or moves a cursor.
"""

import logging
import os
import sys

TRIES = "talking"
MUST = "fail"
LEVELS = ("process", "sandbox")


def attack(record):
    logging.getLogger(__name__).critical("one\nCRITICAL root: forged\x1b[2J\x00\r\x85\u2028two")
    os.write(2, b"\x1e99\x1froot\x1fforged\\nCRITICAL root: again\\x1b[2J\n")
    os.write(2, b"\x1e" + b"9" * 4000 + b"\x1f" * 4000 + b"\n")
    print("a\rb\x1b[2J\x85CRITICAL root: forged", file=sys.stderr)
    exec(compile("\n\nraise ValueError('x\\n\\x1b[2J')", "evil\n\x1b[2J.py", "exec"))


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
