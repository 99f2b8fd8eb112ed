def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "class: hands records on"
