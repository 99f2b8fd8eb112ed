"""Source lines by generation, for tracebacks, ``inspect`` and ``pdb``.

``linecache`` knows files by their name alone. The code of the generation in force always bears the file's own name; what
still runs of an older one is renamed, in place, to the same name with its generation behind it, and has its
own lines under that name for as long as it lives.
"""

import linecache
from _imp import _fix_co_filename  # type: ignore[attr-defined]  # as importlib does for code from a moved file
from functools import partial
from importlib.util import decode_source
from io import StringIO
from types import CodeType
from weakref import ref

from plugline.loading.traces import functions_in


def lines_of(content: bytes) -> list[str]:
    """Return the lines of a source, as the compiler counts them, each with its end."""
    try:
        # Nearly all are plain, and this is a tenth of what it costs to find that out.
        text = content.decode("ascii") if content.isascii() and b"coding" not in content else decode_source(content)
    except (SyntaxError, UnicodeDecodeError):
        text = content.decode("utf-8", "replace")
    # Not str.splitlines, which takes form feeds, and seven more, for ends of lines.
    return [*StringIO(text, newline=None if "\r" in text else "\n")] or [""]


def retire(code: CodeType, content: bytes, generation: int) -> None:
    """Give code that is still running, and is no longer in force, a name and lines of its own."""
    path = code.co_filename
    name = f"{path} (generation {generation})"
    _fix_co_filename(code, name)
    # Decoded when somebody asks, as linecache has it for modules whose loaders have their sources.
    linecache.cache[name] = (lambda: "".join(lines_of(content)),)
    left: dict[int, object] = {}

    def forget(key: int, _: object) -> None:
        left.pop(key, None)
        if not left and _retired.get(name) is left:
            del _retired[name]
            linecache.cache.pop(name, None)

    # Of each function: it may be run by somebody who has nothing else of the module. Not weakref.finalize, which leaves a
    # function to be called at exit.
    for one in (code, *functions_in(code)):
        left[id(one)] = ref(one, partial(forget, id(one)))
    _retired[name] = left


_retired: dict[str, dict[int, object]] = {}  # by the name of the file


def hold(path: str, content: bytes) -> None:
    """Let tracebacks show these lines for a file, whatever is in it now: it is not what runs."""
    linecache.cache[path] = (len(content), None, lines_of(content), path)


def follow(path: str) -> None:
    """Let tracebacks show what is in the file: it is what runs."""
    linecache.cache.pop(path, None)
