"""Clean names by fuzzy matching."""

import plugline_tests_absent_module


def transform(record):
    return plugline_tests_absent_module.clean(record)


def describe():
    return "clean: matches names"
