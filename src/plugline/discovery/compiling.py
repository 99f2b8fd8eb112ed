"""The bytes of a source file to code, by a compiler that has to survive them."""

import sys

from plugline.typed import CodeType

_MANY_CLAUSES = (
    2_000  # 3.11 does 20,000 on a stack of 8 MiB; threads may have a tenth of that, and no person writes ten
)


def compile_source(content: bytes, path: str) -> CodeType:
    """Return the code of a source.

    Args:
        path: Its file, as in tracebacks.

    Raises:
        RecursionError: It is nested too deeply; also where CPython 3.11 would take the whole process with it, whose compiler
            goes down by one call for each ``for`` of a comprehension and does not count them.
        SyntaxError, ValueError, MemoryError: As ``compile``.
    """
    if crashes_compiler(content):
        raise RecursionError("a comprehension has too many clauses")
    return compile(content, path, "exec", dont_inherit=True)


def find_fault(content: bytes) -> int | None:
    """Return the place of the first byte for which a source is no text, ``None`` where it is.

    A declared encoding is the compiler's to judge.
    """
    at = content.find(b"\0")
    if at >= 0:
        return at
    if content.isascii() or b"coding" in b"".join(content.split(b"\n", 2)[:2]):
        return None
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def crashes_compiler(content: bytes) -> bool:
    """Whether this Python's compiler may crash on a source."""
    # To count is as long as it takes to read the file once more.
    if (
        sys.version_info >= (3, 12)
        or len(content) < _MANY_CLAUSES * len("for a in")
        or content.count(b"for") <= _MANY_CLAUSES
    ):
        return False
    import ast  # for files with thousands of the word

    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False  # the parser says no before the compiler is asked
    return any(len(getattr(node, "generators", ())) > _MANY_CLAUSES for node in ast.walk(tree))
