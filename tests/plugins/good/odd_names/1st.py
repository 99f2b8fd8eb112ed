def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "1st: hands records on"
