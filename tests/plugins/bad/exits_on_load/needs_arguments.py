"""Parses the command line of whoever imports it."""

import argparse

parser = argparse.ArgumentParser(prog="needs_arguments")
parser.add_argument("--column-that-nobody-gives", required=True)
OPTIONS = parser.parse_args([])


def transform(record):
    return record


def describe():
    return "needs_arguments: picks a column"
