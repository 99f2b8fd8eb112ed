"""A plugin named like a module of the standard library, which uses that module."""

import json

MARK = "the plugin, not the library"


def transform(record):
    return {**record, "text": json.dumps(record, sort_keys=True)}


def describe():
    return "json: adds the record as text"
