"""Text of two or four bytes a character where UTF-8 is expected: what spreadsheets and PowerShell write."""

# The longer marks first, since that of UTF-32 begins as that of UTF-16 does.
_BEGINNINGS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"{\0\0\0", "UTF-32LE"),
    (b"\0\0\0{", "UTF-32BE"),
    (b"[\0\0\0", "UTF-32LE"),
    (b"\0\0\0[", "UTF-32BE"),
    (b"{\0", "UTF-16LE"),
    (b"\0{", "UTF-16BE"),
    (b"[\0", "UTF-16LE"),
    (b"\0[", "UTF-16BE"),
)


def unmarked(beginning: bytes) -> str | None:
    """Return the encoding of an input whose first characters are two bytes each, one of which is 0; else ``None``."""
    return {b"\1\0\1\0": "UTF-16LE", b"\0\1\0\1": "UTF-16BE"}.get(bytes(map(bool, beginning[:4])))


def refuse_wide(beginning: bytes) -> None:
    """Refuse an input that begins so, as none of it can be read.

    Raises:
        ValueError: It begins with a byte order mark of UTF-16 or UTF-32, or as text in one of them does.
    """
    found = next((encoding for mark, encoding in _BEGINNINGS if beginning.startswith(mark)), unmarked(beginning))
    if found is not None:
        raise ValueError(
            f"it is text in {found}: expected UTF-8\n  hint: make that of it before, as iconv -f {found} -t UTF-8 does"
        )
