VERSION = "1.0"


def transform(data):
    return {key: value.upper() if isinstance(value, str) else value for key, value in data.items()}


def describe():
    return "upper_plugin: converts string values to uppercase"
