"""Needs a module that nobody has published."""

import plugline_tests_absent_module


def transform(record):
    return plugline_tests_absent_module.clean(record)


def describe():
    return "needs_absent: cleans by a library"
