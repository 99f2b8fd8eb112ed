"""Run splits one after the other."""

VERSION = "1.0"


def run(runner, splits, /):
    for split in splits:
        yield runner(split)
