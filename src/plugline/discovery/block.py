"""A PEP 723 block in a source file to what it says."""

from plugline.files import SourceFile
from plugline.findings import Finding, Place

_OPENING = "# /// script"
_CLOSING = "# ///"


def read_block(source: SourceFile) -> tuple[dict[str, object], int | None, tuple[Finding, ...]]:
    """Return the content of the ``script`` block, its line, and what is wrong with it.

    The rules are those of `PEP 723 <https://peps.python.org/pep-0723/>`_: lines from ``# /// script`` to the
    last ``# ///`` of an unbroken run of comments, each with ``#`` or ``# `` before its TOML.
    """
    if b"# /// script" not in source.content:
        return {}, None, ()
    # Lines as Python counts them: str.splitlines also ends one at a form feed.
    text = source.content.decode("utf-8-sig", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    openings = [index for index, line in enumerate(lines) if line.rstrip() == _OPENING]
    if not openings:
        return {}, None, ()
    start = openings[0]
    if len(openings) > 1:
        message = "has two 'script' blocks, PEP 723 allows one"
        return {}, start + 1, (Finding("P109", message, Place(source.path, openings[1] + 1)),)
    comment = start + 1
    while comment < len(lines) and (lines[comment] == "#" or lines[comment].startswith("# ")):
        comment += 1
    closings = [index for index in range(start + 1, comment) if lines[index].rstrip() == _CLOSING]
    if not closings:
        at, message = start, "the 'script' block is not closed, a line '# ///' was expected"
        if _CLOSING in map(str.rstrip, lines[comment:]):
            at, message = comment, "the 'script' block ends before its '# ///': this line does not begin with '# '"
        return {}, start + 1, (Finding("P109", message, Place(source.path, at + 1)),)
    text = "\n".join(line[2:] for line in lines[start + 1 : closings[-1]])
    return _parse(text, source.path, start)


def _parse(text: str, path: str, start: int) -> tuple[dict[str, object], int | None, tuple[Finding, ...]]:
    # tomllib costs an interpreter's start to import, and few plugins have a block.
    import tomllib

    try:
        return tomllib.loads(text), start + 1, ()
    except RecursionError:
        message = "the 'script' block is nested too deeply"
        return {}, start + 1, (Finding("P109", message, Place(path, start + 1)),)
    except tomllib.TOMLDecodeError as error:
        line = text.rstrip("\n").count("\n") + 1 if "(at end of document)" in str(error) else _line_of(str(error))
        place = Place(path, start + 1 + line) if line is not None else Place(path, start + 1)
        return {}, start + 1, (Finding("P109", f"the 'script' block is not valid TOML: {_reason(error)}", place),)


def _line_of(message: str) -> int | None:
    """Return the line that tomllib names in ``… (at line 3, column 1)``; its errors have no attributes before 3.14."""
    _, found, rest = message.partition("(at line ")
    digits = rest.partition(",")[0]
    return int(digits) if found and digits.isdigit() else None


def _reason(error: Exception) -> str:
    # Without its own place: lines of the block are not those of the file, which the finding's place names.
    return str(error).partition(" (at ")[0]
