def transform(record):
    return record


def describe(language):
    return "describe_takes_one: in " + language
