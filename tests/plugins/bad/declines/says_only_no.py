def available():
    return False


def transform(record):
    return record


def describe():
    return "says_only_no: gives no reason"
