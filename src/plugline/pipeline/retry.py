"""A pipeline and its dead letters to the same pipeline that reads these, and writes files of its own."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import BinaryIO, cast

import orjson

from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan, goes_straight
from plugline.pipeline.remote import has_scheme
from plugline.pipeline.streams import compression_of
from plugline.records import Format, Position, RawBatch, Reader, Record, Split, Writer

_CHUNK_BYTES = 256 * 1024


def retried(plan: Plan, letters: str) -> Plan:
    """Return a plan that feeds dead letters through again.

    ``clean.csv`` becomes ``clean.retried.csv``, with ``clean.retried.errors.ndjson`` for those that fail again. Standard output,
    special files and databases stay what they are.

    Args:
        plan: The plan whose dead letters they are.
        letters: The file.

    Raises:
        ConfigurationError: There is no such file.
    """
    path = os.path.join(plan.folder, letters)
    if not os.path.isfile(path):
        what = "is a folder, expected a file" if os.path.isdir(path) else "is not there"
        raise ConfigurationError([Finding("C109", f"{letters!r} {what}", Place("--retry"))])
    sink = plan.sink if goes_straight(plan.located(plan.sink)) or has_scheme(plan.sink) else _renamed(plan.sink)
    return replace(
        plan,
        splits=(Split(index=0, count=1, path=letters),),
        sink=sink,
        dead_letters=_renamed(plan.dead_letters, before=".errors"),
        retries=True,
    )


def _renamed(path: str, *, before: str = "") -> str:
    """Return a file name with ``.retried`` in it, before its suffixes."""
    packed = compression_of(path)
    stem, suffix = os.path.splitext(path.removesuffix(packed) if packed else path)
    if before and stem.endswith(before):
        stem, suffix = stem.removesuffix(before), f"{before}{suffix}"
    return f"{stem}.retried{suffix}{packed}"


@frozen()
class Retried:
    """The format of a pipeline's source, as its dead letters hold what it read."""

    form: Format

    @property
    def record_delimiter(self) -> bytes:
        """A dead letter is a line."""
        return b"\n"

    def reader(self) -> Reader:
        """Return a reader of dead letters."""
        return _Reader(self.form)

    def writer(self) -> Writer:
        """Return the format's own writer."""
        return self.form.writer()


class _Batch:
    """Some dead letters."""

    def __init__(self, lines: list[bytes], line: int, offset: int) -> None:
        self.raws = cast("list[object]", lines)
        self._line = line
        self._offset = offset

    def position(self, index: int, /) -> Position:
        """Where the dead letter stands, in the file of them."""
        offset = self._offset + sum(len(cast("bytes", raw)) for raw in self.raws[:index])
        return Position(line=self._line + index, offset=offset, row=self._line + index)


class _Reader:
    """Makes records of dead letters: of what came in, by the format that read it; or of what somebody made of it."""

    def __init__(self, form: Format) -> None:
        self._reader = form.reader()
        self.lines = 0

    def batches(self, stream: BinaryIO, /) -> Iterator[RawBatch]:
        """Yield the lines of about 256 KiB at a time."""
        line, offset = 1, 0
        while lines := stream.readlines(_CHUNK_BYTES):
            yield _Batch(lines, line, offset)
            line += len(lines)
            offset += sum(map(len, lines))
            self.lines = line - 1

    def decode(self, raw: object, /) -> Record:
        """Return the record of one dead letter.

        Raises:
            ValueError: It is none, or holds nothing that can be decoded.
        """
        try:
            letter = orjson.loads(cast("bytes", raw))
        except ValueError as error:
            raise ValueError(f"no dead letter: {error}") from None
        if not isinstance(letter, dict) or "raw" not in letter or "record" not in letter:
            raise ValueError("no dead letter: expected an object with 'raw' and 'record'")
        return self._record(letter)

    def _record(self, letter: Mapping[str, object]) -> Record:
        told, types = letter["record"], letter.get("types")
        if isinstance(told, dict) and isinstance(types, dict) and types:
            from plugline.pipeline.typed import restored  # noqa: PLC0415 - for records with such types only

            return restored(told, types)
        if letter["raw"] is None and isinstance(told, dict):
            return told
        try:
            came = self._decoded(letter)
        except Exception:
            if isinstance(told, dict):
                return told
            raise
        # A record that was mended by hand counts, and what was read, which has all its types, where it says the same.
        return told if isinstance(told, dict) and told != _as_json(came) else came

    def _decoded(self, letter: Mapping[str, object]) -> Record:
        raw, told = letter["raw"], letter["record"]
        if isinstance(letter.get("raw_base64"), str):
            from base64 import b64decode  # noqa: PLC0415 - seldom

            raw = b64decode(cast("str", letter["raw_base64"]))
        elif isinstance(raw, str):
            raw = raw.encode()
        elif isinstance(raw, list) and isinstance(told, dict) and hasattr(self._reader, "columns"):
            self._reader.columns = [*told]
        record: object = self._reader.decode(raw)
        if not isinstance(record, dict):
            raise ValueError(f"expected an object, got {type(record).__name__}")  # noqa: TRY004 - a faulty record
        return record


def _as_json(record: Record) -> object:
    """Return a record as its dead letter told it."""
    from plugline.pipeline.typed import json_of  # noqa: PLC0415 - seldom

    return orjson.loads(json_of(record))
