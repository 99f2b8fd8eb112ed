"""Raises errors of the interpreter whose own text takes part in raising.

Must hold: the record fails as this plugin's fault.
"""

TRIES = "exceptions"
MUST = "fail"
LEVELS = ("process", "sandbox")


class Evil(UnicodeDecodeError):
    def __init__(self):
        super().__init__("utf-8", b"x" * 10, 0, 10**9, "why")

    @property
    def __class__(self):
        raise SystemExit(3)

    @property
    def __traceback__(self):
        raise KeyboardInterrupt

    @property
    def __notes__(self):
        raise SystemExit(4)


def attack(record):
    raise Evil


def transform(record):
    return attack(record) if record["attack"] else record


def describe():
    return "hostile"
