def transform(record):
    return {**record, "odd": __name__}


def describe():
    return "größe: hands records on"
