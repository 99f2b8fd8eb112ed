def transform():
    return {}


def describe():
    return "takes_none: has no room for a record"
