def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "with space: hands records on"
