def transform(record, *, fields):
    return {key: record[key] for key in fields}


def describe():
    return "needs_a_keyword: keeps some fields"
