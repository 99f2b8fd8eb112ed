"""Raises what ``except Exception`` lets through."""


class Cancelled(BaseException):
    pass


def transform(record):
    return record


def describe():
    return "cancels: stops everything"


raise Cancelled("the scheduler said stop")
