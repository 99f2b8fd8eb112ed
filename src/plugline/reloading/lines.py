"""Source lines by generation, for tracebacks, ``inspect`` and ``pdb``.

``linecache`` knows files by their name alone. The code of the generation in force always bears the file's own name; what
still runs of an older one is renamed, in place, to the same name with its generation behind it, and has its
own lines under that name for as long as it lives.
"""

import linecache
from _imp import _fix_co_filename  # type: ignore[attr-defined]  # as importlib does for code from a moved file
from importlib.util import decode_source
from types import CodeType
from weakref import ref


def lines_of(content: bytes) -> list[str]:
    """Return the lines of a source, as the compiler counts them, each with its end."""
    try:
        text = decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        text = content.decode("utf-8", "replace")
    return text.splitlines(keepends=True) or [""]


def retire(code: CodeType, content: bytes, generation: int) -> None:
    """Give code that is still running, and is no longer in force, a name and lines of its own."""
    path = code.co_filename
    name = f"{path} (generation {generation})"
    _fix_co_filename(code, name)
    # Decoded when somebody asks, as linecache has it for modules whose loaders have their sources.
    linecache.cache[name] = (lambda: "".join(lines_of(content)),)
    # Not weakref.finalize, which leaves a function to be called at exit.
    key = id(code)
    _retired[key] = ref(code, lambda _: _forget(key, name))


_retired: dict[int, object] = {}  # by the id of the code


def _forget(key: int, name: str) -> None:
    _retired.pop(key, None)
    linecache.cache.pop(name, None)


def hold(path: str, content: bytes) -> None:
    """Let tracebacks show these lines for a file, whatever is in it now: it is not what runs."""
    linecache.cache[path] = (len(content), None, lines_of(content), path)


def follow(path: str) -> None:
    """Let tracebacks show what is in the file: it is what runs."""
    linecache.cache.pop(path, None)
