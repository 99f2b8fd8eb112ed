def transform(record, table):
    return table[record]


def describe():
    return "takes_two: looks up"
