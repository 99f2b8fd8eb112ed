"""The names of plugins to lines for a shell's completion, without importing one of them, nor the parser of commands.

``plugline --complete KIND WORDS...`` is what the scripts of ``plugline completion`` call. It is no command for people: what
it prints may change with the scripts.
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from plugline.discovery.installed import entry_point_names, read_at_once

_SHIPPED = frozenset(("processors", "formats", "engines"))  # and where they stand
_VARIANTS = ("_plugin", "_processor", "_format", "_engine")  # what a pipeline's names may leave out


def complete(kind: str, words: Sequence[str]) -> int:
    """Print the names of a kind, one a line: ``processors``, ``formats``, ``engines``, ``plugins`` of folders, ``known`` ones, ``disabled`` ones.

    Those that are known are the plugins of folders and all that are shipped or installed. Never fails: whatever cannot be read has no names.
    """
    folders = _folders(words)
    names = set(_disabled(folders) if kind == "disabled" else _own(kind, folders))
    names.update(names_elsewhere(_SHIPPED if kind == "known" else _SHIPPED & {kind}))
    sys.stdout.write("".join(f"{name}\n" for name in sorted(names) if name.isprintable()))
    return 0


def names_elsewhere(kinds: Iterable[str] = _SHIPPED) -> Iterator[str]:
    """Yield the names of plugins that are in no folder: of those that are shipped or installed."""
    for kind in kinds:
        yield from _modules(os.path.join(os.path.dirname(os.path.dirname(__file__)), kind))
        yield from entry_point_names(f"plugline.{kind}") or ()


def _folders(words: Sequence[str]) -> Sequence[str]:
    """Return the plugin folders that a command line names, else those of the settings."""
    # In bash, "=" is a word of its own.
    apart = pairwise(word for word in words if word != "=")
    named = [value for option, value in apart if option in ("--plugins", "--folder")]
    named += [word.partition("=")[2] for word in words if word.startswith(("--plugins=", "--folder="))]
    if named:
        return named
    from plugline.cli.settings import Settings  # findings, which most completions need not

    try:
        return Settings.load().folders()[0]
    except Exception:  # noqa: BLE001 - a file that is wrong is told by commands, and not in the middle of a line
        return ("plugins",)


def _own(kind: str, folders: Iterable[str]) -> Iterator[str]:
    for folder in folders:
        for path in _candidates(folder):
            content = read_at_once(path)
            if kind in ("formats", "engines") and not _may_be(kind, content):
                continue
            name = _said(content) or _stem(path)
            shortened = next((name[: -len(end)] for end in _VARIANTS if name.endswith(end) and name != end), name)
            yield shortened if kind in _SHIPPED else name


def _disabled(folders: Iterable[str]) -> Iterator[str]:
    import tomllib  # costs an interpreter's start, and one command asks for them

    for folder in folders:
        content = read_at_once(os.path.join(os.path.dirname(os.path.abspath(folder)), "plugline.toml"))
        try:
            names = tomllib.loads(content.decode()).get("disabled")
        except ValueError:
            continue
        yield from (name for name in names if isinstance(name, str)) if isinstance(names, list) else ()


def _candidates(folder: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(("_", ".")):
                    continue
                if entry.name.endswith(".py"):
                    yield entry.path
                elif "." not in entry.name and os.path.isfile(os.path.join(entry.path, "__init__.py")):
                    yield os.path.join(entry.path, "__init__.py")
    except OSError:
        return


def _stem(path: str) -> str:
    folder, name = os.path.split(path)
    return os.path.basename(folder) if name == "__init__.py" else name[:-3]


def _may_be(kind: str, content: bytes) -> bool:
    wanted = (b"def reader", b"def writer") if kind == "formats" else (b"def run(",)
    return all(one in content for one in wanted)


def _said(content: bytes) -> str:
    """Return the name that a source gives its plugin, if it gives one."""
    for mark, begin in ((b"PLUGIN_NAME", b"\nPLUGIN_NAME"), (b"[tool.plugline]", b"\n# name")):
        if mark not in content:
            continue
        line = (b"\n" + content).partition(begin)[2].partition(b"\n")[0]
        quote = line.lstrip(b" =")[:1]
        if quote in (b'"', b"'"):
            return line.split(quote)[1].decode("utf-8", "replace")
    return ""


def _modules(folder: str) -> Iterator[str]:
    return (_stem(path) for path in _candidates(folder))
