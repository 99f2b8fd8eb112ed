"""Tidies the name."""

from . import _shared


def transform(record):
    from ._shared import tidy

    assert tidy is _shared.tidy
    return {**record, "name": tidy(record["name"])}


def describe():
    return "tidy_name: tidies the name"
