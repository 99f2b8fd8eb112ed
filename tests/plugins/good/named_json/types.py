"""Shadowing this name breaks half of the standard library."""

import types

MARK = "the plugin, not the library"


def transform(record):
    return {**record, "simple": types.SimpleNamespace(**record).name}


def describe():
    return "types: adds the name again"
