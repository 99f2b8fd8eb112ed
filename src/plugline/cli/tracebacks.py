"""Tracebacks as ``-v`` shows them: what of it is the plugin's own."""

import os
import re
import sysconfig
from collections.abc import Iterable, Iterator

from plugline.cli import render

# As Python prints them: a frame, then its source line and perhaps carets, further in.
_FRAME = re.compile(r'^  File "(?P<path>[^"]*)", line \d+.*\n(?:    .*\n|  \[.*\n)*', re.MULTILINE)
_LIBRARIES = tuple(
    sorted({os.path.join(sysconfig.get_path(name), "") for name in ("stdlib", "platstdlib", "purelib", "platlib")})
)
_INSTALLED = re.compile(r"[/\\](?:site|dist)-packages[/\\]")


def say_tracebacks(tracebacks: Iterable[tuple[str, str]]) -> None:
    """Say tracebacks, each after what stands before it, cut to the plugin's own frames."""
    for before, text in tracebacks:
        lines = f"{before}{own_frames(text)}".rstrip("\n").split("\n")
        render.say("\n".join(map(render.plain, lines)))


def own_frames(text: str) -> str:
    """Leave the frames of libraries out of a traceback, and say how many there were; all stay where all are of libraries."""
    frames = list(_FRAME.finditer(text))
    if all(_library_of(frame["path"]) for frame in frames):
        return text
    return "".join(_without_libraries(text, frames))


def _without_libraries(text: str, frames: Iterable[re.Match[str]]) -> Iterator[str]:
    at = 0
    library, count = "", 0
    for frame in frames:
        this = _library_of(frame["path"])
        if count and (this != library or frame.start() != at):
            yield _left_out(count, library)
            count = 0
        if not this:
            continue
        yield text[at : frame.start()]
        at, library, count = frame.end(), this, count + 1
    if count:
        yield _left_out(count, library)
    yield text[at:]


def _left_out(count: int, library: str) -> str:
    return f"  [{render.counted(count, 'frame')} of {library} left out]\n"


def _library_of(path: str) -> str:
    """Return the library that a file is of; nothing where it is somebody's own."""
    if path.startswith("<frozen "):
        return path[len("<frozen ") :].rstrip(">").partition(".")[0]
    # An environment of an interpreter may lie in the program's own folder, and both in that of another library.
    installed = [found.end() for found in _INSTALLED.finditer(path)]
    begins = installed or [len(folder) for folder in _LIBRARIES if path.startswith(folder)]
    return re.split(r"[/\\]", path[max(begins) :])[0].removesuffix(".py") if begins else ""
