"""Tidies the city."""

from ._shared import tidy


def transform(record):
    return {**record, "city": tidy(record["city"])}


def describe():
    return "tidy_city: tidies the city"
