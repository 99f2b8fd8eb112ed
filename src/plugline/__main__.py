"""``python -m plugline``: the command line."""

import sys

from plugline.cli import program

if __name__ == "__main__":
    sys.exit(program())
