def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "dotted.name: hands records on"
