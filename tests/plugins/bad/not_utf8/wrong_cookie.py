# -*- coding: klingon -*-
def transform(record):
    return record


def describe():
    return "wrong_cookie: hands records on"
