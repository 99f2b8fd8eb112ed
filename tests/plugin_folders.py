"""Folders of plugins for tests, written from their text."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

GOOD = """
def transform(record):
    return record

def describe():
    return "good: hands records on"
"""
WANTED = ["transform", "describe"]


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files by their paths below ``folder``; text is dedented."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return folder
