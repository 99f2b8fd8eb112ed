"""Installed modules to what is known of them: remembered, or to be read again where their file is another.

What :mod:`plugline.discovery.recall` does for a folder, by the same rule for when a file is trusted not to have changed. A module
keeps its own place, its name is its host's choice, and what it is compiled to is the interpreter's to remember; so there is one
small file for all modules that a finder names, and no code in it::

    magic and check | scope, rows

A *row* is what reading one candidate gave, with what hosts made of it by what they asked.
"""

import marshal
import os
import sys
from _frozen_importlib import ModuleSpec

from plugline.clock import unix_nanoseconds
from plugline.discovery.cache import check_of, open_ours, read_at, write_whole
from plugline.discovery.candidates import ModuleCandidate
from plugline.discovery.known import INSTALLED_MAX_BYTES, PluginSpec, Read, Unread
from plugline.discovery.recall import UNSETTLED, Encoded, Status, located, settled, status_at
from plugline.discovery.rest import EncodedVerdict
from plugline.discovery.rows import MARSHAL_VERSION, Verdict, decode, encode
from plugline.files import SourceFile, read_installed
from plugline.findings import Finding, Place
from plugline.lookup import find_module
from plugline.names import PluginName
from plugline.typed import Any, Callable, Mapping

_MAGIC = b"plugmod\x01"
_MOST_BYTES = 64 * 2**20
_MOST_ASKED = 16  # hosts that ask for something else each, of one finder
_MOST_CONSTANTS_BYTES = 2048  # a table of data is read where somebody asks for it

Key = tuple[str, str, str, str | None, str | None]
"""Name, module, attribute, distribution and version of a candidate."""

Said = tuple[object, ...]
"""The fields of a spec that its source decides; ``()`` for one that could not be read."""

Row = tuple[str, Status, Said, tuple[Encoded, ...], Mapping[str, object] | None, dict[bytes, EncodedVerdict]]
"""The file's path and status; the spec; what is wrong with it whatever the host; constants; what hosts made of it, by what they asked."""


class ModuleIndex:
    """What is remembered of the modules that a finder names.

    Args:
        scope: What the finder is asked to find.

    Threads: used by one at a time, under its host's lock.
    """

    def __init__(self, scope: str) -> None:
        self._scope, path = located(scope, sys.prefix)
        self._path = f"{path}.modules" if path is not None else None
        self._known: dict[Key, Row] = self._read() if self._path is not None else {}
        self._rows: dict[Key, Row] = {}
        self._changed = False
        self._parents: dict[str, ModuleSpec | None] = {}

    def look(self, candidate: ModuleCandidate, asked: str, judge: Callable[[Read], Verdict]) -> tuple[Read, Verdict]:
        """Return what a candidate says, and what a host makes of it.

        Args:
            judge: Says what the host makes of it, where that is not known.
        """
        key, mark = _key(candidate), check_of(asked.encode("utf-8", "surrogatepass"))
        path, status = self._file_of(candidate.module)
        row = self._known.get(key)
        if row is not None and row[:2] == (path, status):
            _, _, said, findings, constants, verdicts = row
            read = Read(_spec(candidate, path, said, constants) if said else None, decode(findings, path))
            self._rows[key] = row
            if mark in verdicts:
                return read, Verdict.decode(verdicts[mark], path)
        else:
            # What reads sources is imported where one is to be read.
            from plugline.discovery.spec import read_module

            read, verdicts = read_module(candidate), {}
        verdict = judge(read)
        if status != UNSETTLED and verdict.lasting:
            row = _row(path, status, read, {**dict([*verdicts.items()][1 - _MOST_ASKED :]), mark: verdict.encode(path)})
            self._changed |= row is not None
            self._rows.update({key: row} if row is not None else {})
        return read, verdict

    def flush(self) -> None:
        """Write down what was not known before."""
        if self._changed and self._path is not None:
            content = marshal.dumps((self._scope, self._rows), MARSHAL_VERSION)
            write_whole(self._path, b"".join((_MAGIC, check_of(content), content)))
        self._changed = False

    def _file_of(self, module: str) -> tuple[str, Status]:
        """Return the file of a module and its status: zeros where it has none, or one that may be changed again unseen."""
        began = unix_nanoseconds()
        try:
            spec = find_module(module, self._parents)
        except ValueError:
            return "", UNSETTLED
        path = spec.origin if spec is not None else None
        if path is None or not path.endswith(".py") or not os.path.isabs(path):
            return "", UNSETTLED
        return path, settled(status_at(path), began)

    def _read(self) -> dict[Key, Row]:
        descriptor = open_ours(self._path) if self._path is not None else None
        if descriptor is None:
            return {}
        try:
            content = read_at(descriptor, 0, _MOST_BYTES)
        finally:
            os.close(descriptor)
        if content[:8] != _MAGIC or check_of(content[16:]) != content[8:16]:
            return {}
        scope, rows = marshal.loads(content[16:])  # noqa: S302 - from a file that only we can write, with its digest checked
        return rows if scope == self._scope else {}


class _UnreadModule(Unread):
    """An installed module whose syntax tree is read when it is first asked for."""

    __slots__ = ("_constants", "_path")

    def __init__(self, path: str, constants: Mapping[str, object] | None) -> None:
        self._path, self._constants = path, constants
        self._facts = None
        self._outline = (None, (), ())
        self.block_line = None

    @property
    def constants(self) -> Mapping[str, object] | None:
        return self._constants

    def _source(self) -> SourceFile | Finding:
        return read_installed(self._path, max_bytes=INSTALLED_MAX_BYTES)


def _key(candidate: ModuleCandidate) -> Key:
    about = (str.__str__(candidate.name), candidate.module, candidate.attribute)
    return (*about, candidate.distribution, candidate.version)


def _row(path: str, status: Status, read: Read, verdicts: dict[bytes, EncodedVerdict]) -> Row | None:
    """Return what is remembered of a module, ``None`` where that cannot be written."""
    constants = read.spec.constants if read.spec is not None else {}
    kept = constants if 0 < len(_dumped(constants)) < _MOST_CONSTANTS_BYTES else None
    said = _said(read.spec) if read.spec is not None else ()
    row = (path, status, said, encode(read.findings, path), kept, verdicts)
    return row if _dumped(row) else None


def _said(spec: PluginSpec) -> Said:
    about = (str.__str__(spec.name), spec.version, spec.summary, spec.api, spec.requires_python, spec.dependencies)
    return (*about, spec.digest, dict(spec.settings), spec.requires, spec.after, spec.priority)


def _spec(candidate: ModuleCandidate, path: str, said: Said, constants: Mapping[str, object] | None) -> PluginSpec:
    name, version, summary, api, python, dependencies, digest, settings, requires, after, priority = said
    return PluginSpec(
        PluginName(name),
        version,  # type: ignore[arg-type]  # these are as they were written
        summary,  # type: ignore[arg-type]
        api,  # type: ignore[arg-type]
        python,  # type: ignore[arg-type]
        dependencies,  # type: ignore[arg-type]
        Place(path),
        digest,  # type: ignore[arg-type]
        candidate.module,
        candidate.distribution,
        settings,  # type: ignore[arg-type]
        _UnreadModule(path, constants),
        requires,  # type: ignore[arg-type]
        after,  # type: ignore[arg-type]
        priority,  # type: ignore[arg-type]
    )


def _dumped(value: Any) -> bytes:
    """Return a value as it is written; empty for one that cannot be."""
    try:
        return marshal.dumps(value, MARSHAL_VERSION)
    except ValueError:
        return b""
