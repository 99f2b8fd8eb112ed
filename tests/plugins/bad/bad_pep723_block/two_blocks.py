# /// script
# dependencies = []
# ///

# /// script
# dependencies = []
# ///
"""Has two blocks, which PEP 723 forbids."""


def transform(record):
    return record


def describe():
    return "two_blocks: hands records on"
