"""Match company names against a reference list."""

import rapidfuzz_that_nobody_installed as rapidfuzz


def transform(record):
    return {**record, "company": rapidfuzz.best(record["company"])}


def describe():
    return "clean: the nearest company name of the reference list"
