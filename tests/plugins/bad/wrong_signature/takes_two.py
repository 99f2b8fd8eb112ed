def transform(record, table):
    return table[record]


def describe():
    return "takes_two: needs a table that nobody passes"
