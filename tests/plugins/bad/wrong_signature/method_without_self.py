"""A class that forgot self."""


class Shout:
    def transform(record):
        return record

    def describe(self):
        return "method_without_self: shouts"
