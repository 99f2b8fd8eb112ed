VERSION = "1.0"


def transform(record):
    return record
