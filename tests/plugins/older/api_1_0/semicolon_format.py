"""Fields with semicolons between, without quotes."""

from plugline.records import Broken, Position

PLUGIN_NAME = "semicolon"
VERSION = "1.0"
SUFFIXES = (".semi",)


class Batch:
    def __init__(self, raws, first):
        self.raws = raws
        self.first = first

    def position(self, index):
        return Position(line=self.first + index)


class Reader:
    def __init__(self):
        self.names = None

    def batches(self, stream):
        lines = stream.read().split(b"\n")
        self.names = lines[0].decode().split(";")
        raws = [line if line.count(b";") == len(self.names) - 1 else Broken(line, "fields are missing") for line in lines[1:] if line]
        yield Batch(raws, 2)

    def decode(self, raw):
        if isinstance(raw, Broken):
            raise ValueError(raw.reason)
        return dict(zip(self.names, raw.decode().split(";")))


class Writer:
    separator = b""
    columns = None

    def open(self, stream, *, first, columns=None):
        self.stream = stream
        self.columns = tuple(columns) if columns is not None else None
        self.header_due = first

    def encode(self, record):
        if self.columns is None:
            self.columns = tuple(record)
        if set(record) != set(self.columns):
            raise ValueError(f"has other fields than {self.columns}")
        return ";".join(str(record[name]) for name in self.columns).encode() + b"\n"

    def write(self, encoded):
        if self.header_due:
            self.stream.write(";".join(self.columns).encode() + b"\n")
            self.header_due = False
        self.stream.write(b"".join(encoded))

    def close(self, *, last):
        pass


class Semicolon:
    strict: bool = True

    def reader(self):
        return Reader()

    def writer(self):
        return Writer()
