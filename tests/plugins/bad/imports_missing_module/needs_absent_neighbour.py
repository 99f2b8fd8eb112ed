"""Imports a file of its own folder that was forgotten."""

from . import _forgotten


def transform(record):
    return _forgotten.clean(record)


def describe():
    return "needs_absent_neighbour: cleans by a neighbour"
