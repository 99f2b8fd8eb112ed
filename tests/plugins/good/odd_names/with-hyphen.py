def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "with-hyphen: hands records on"
