"""``python -m plugline``: the command line."""

import sys

if __name__ == "__main__":
    if not sys.flags.safe_path:
        # A logging.py of the current folder hides none of Python's own; plugins still find what is theirs there.
        sys.path.append(sys.path.pop(0))
    from plugline.cli import program

    sys.exit(program())
