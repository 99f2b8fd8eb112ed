VERSION = "1.0"


def transform(data):
    return {key: value.strip() if isinstance(value, str) else value for key, value in data.items()}


def describe():
    return "trim: strips whitespace from string values"
