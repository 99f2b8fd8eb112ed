# /// script
# dependencies = ["plugline-tests-absent-module>=3"]
# ///
"""Says what it needs, and it is not installed."""

import plugline_tests_absent_module


def transform(record):
    return plugline_tests_absent_module.clean(record)


def describe():
    return "needs_absent_declared: cleans by a library"
