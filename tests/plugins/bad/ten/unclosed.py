def transform(record):
    return {key: value.strip( for key, value in record.items()}


def describe():
    return "unclosed: strips"
