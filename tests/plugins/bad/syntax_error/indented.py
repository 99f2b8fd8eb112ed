def transform(record):
return record


def describe():
    return "indented: hands records on"
