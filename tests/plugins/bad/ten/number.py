transform = 3


def describe():
    return "number: is one"
