"""A pipeline and its dead letters to the same pipeline that reads these, and writes files of its own."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import BinaryIO, cast

import orjson

from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan, goes_straight
from plugline.pipeline.remote import has_scheme, is_file_address
from plugline.pipeline.streams import compression_of
from plugline.records import Format, Position, RawBatch, Reader, Record, Split, Writer
from plugline.records.outcomes import checked_decoded

_CHUNK_BYTES = 256 * 1024
_SERVER = "plugline.formats.postgresql"


def retried(plan: Plan, letters: str) -> Plan:
    """Return a plan that feeds dead letters through again.

    ``clean.csv`` becomes ``clean.retried.csv``, with ``clean.retried.errors.ndjson`` for those that fail again; where that is
    what is fed through, ``clean.retried-2.csv``, and so on. Standard output, special files and addresses of databases stay what
    they are; to a table on a server rows are added, whatever the pipeline does with those that are there.

    Args:
        plan: The plan whose dead letters they are.

    Raises:
        ConfigurationError: There is no such file; or it has a name of its own, and what it would be written to is there.
    """
    path = os.path.join(plan.folder, letters)
    if not os.path.isfile(path):
        what = "is a folder, expected a file" if os.path.isdir(path) else "is not there"
        raise ConfigurationError([Finding("C109", f"{letters!r} {what}", Place("--retry"))])
    mark = _mark(plan, os.path.basename(path))
    sink = _renamed(plan, plan.sink, mark)
    is_new = mark == ".retried" and os.path.basename(path) != os.path.basename(plan.dead_letters)
    if is_new and sink != plan.sink and os.path.exists(plan.located(sink)):
        message = f"{sink!r} is there, and may hold what an earlier retry made of other records"
        hint = "move it away; or remove it, if it was made of these"
        raise ConfigurationError([Finding("C111", message, Place("--retry"), hint)])
    writer = plan.writer
    if writer.module == _SERVER:
        # The rows that went through are there, and "replace" would take them away.
        writer = replace(writer, settings={**writer.settings, "mode": "append"})
    return replace(
        plan,
        writer=writer,
        splits=(Split(index=0, count=1, path=letters),),
        sink=sink,
        dead_letters=_renamed(plan, plan.dead_letters, mark, before=".errors"),
        retries=True,
    )


def _mark(plan: Plan, letters: str) -> str:
    """Return what the names of what is written have in them: another than that of the retry whose dead letters are fed through."""
    told = re.search(r".*(\.retried(?:-([1-9][0-9]*))?)\.", letters)
    if told is None:
        return ".retried"
    # By its name alone: what is at an address was fetched from there.
    before = os.path.basename(_renamed(plan, plan.dead_letters, told[1], before=".errors"))
    return f".retried-{int(told[2] or 1) + 1}" if before == letters else ".retried"


def _renamed(plan: Plan, path: str, mark: str, *, before: str = "") -> str:
    """Return a file name with a mark in it, before its suffixes."""
    if goes_straight(plan.located(path)) or (has_scheme(path) and not is_file_address(path)):
        return path
    stem, packed = (path, "") if not compression_of(path) else os.path.splitext(path)
    stem, suffix = os.path.splitext(stem)
    if before and stem.endswith(before):
        stem, suffix = stem.removesuffix(before), f"{before}{suffix}"
    return f"{stem}{mark}{suffix}{packed}"


@frozen()
class Retried:
    """The format of a pipeline's source, as its dead letters hold what it read.

    Attributes:
        tables: The numbers of the steps that take tables, from 1: of what failed behind one, the record is what it made.
    """

    form: Format
    tables: tuple[int, ...] = ()

    @property
    def record_delimiter(self) -> bytes:
        """A dead letter is a line."""
        return b"\n"

    def reader(self) -> Reader:
        """Return a reader of dead letters."""
        return _Reader(self.form, self.tables)

    def writer(self) -> Writer:
        """Return the format's own writer."""
        return self.form.writer()


class _Batch:
    """Some dead letters.

    Attributes:
        passed: How many steps their records have behind them, see :class:`plugline.records.columns.TableLoop`.
    """

    def __init__(self, lines: list[bytes], line: int, offset: int, passed: int) -> None:
        self.raws = cast("list[object]", lines)
        self.passed = passed
        self._line = line
        self._offset = offset

    def position(self, index: int, /) -> Position:
        """Where the dead letter stands, in the file of them."""
        offset = self._offset + sum(len(cast("bytes", raw)) for raw in self.raws[:index])
        return Position(line=self._line + index, offset=offset, row=self._line + index)


class _Reader:
    """Makes records of dead letters: of what came in, by the format that read it; or of what somebody made of it."""

    def __init__(self, form: Format, tables: tuple[int, ...]) -> None:
        self._reader = form.reader()
        self._tables = tables
        self.lines = 0

    def batches(self, stream: BinaryIO, /) -> Iterator[RawBatch]:
        """Yield the lines of about 256 KiB at a time."""
        line, offset = 1, 0
        while chunk := stream.readlines(_CHUNK_BYTES):
            for passed, lines in self._groups(chunk):
                yield _Batch(lines, line, offset, passed)
                line += len(lines)
                offset += sum(map(len, lines))
                self.lines = line - 1

    def _groups(self, lines: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Yield lines in their order, each time as many as go past the same steps."""
        if not self._tables:
            yield 0, lines
            return
        for passed, group in groupby(lines, self._passed):
            yield passed, list(group)

    def _passed(self, line: bytes) -> int:
        """Return the last step that takes tables before the one that the record failed at, if the record is what that made."""
        try:
            letter = orjson.loads(line)
            failed_at = letter["step"]["index"] if letter["raw"] is None else 0
            return max((step for step in self._tables if step < failed_at), default=0)
        except (ValueError, TypeError, LookupError):
            return 0

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

    def came(self, raw: object, /) -> bytes | None:
        """Return what a dead letter tells of how its record came in, for the one that it becomes; ``None`` for what is none."""
        try:
            letter = orjson.loads(cast("bytes", raw))
            told = orjson.dumps(letter["raw"])
        except (ValueError, TypeError, LookupError):
            return None
        for name in ("raw_base64", "columns"):
            if name in letter:
                told += b',"%b":%b' % (name.encode(), orjson.dumps(letter[name]))
        return told

    def _record(self, letter: Mapping[str, object]) -> Record:
        told, types = letter["record"], letter.get("types")
        if isinstance(told, dict) and isinstance(types, dict) and types:
            from plugline.pipeline.typed import restored  # for records with such types only

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
        raw = _text_of(letter) if isinstance(letter["raw"], str) else letter["raw"]
        if hasattr(self._reader, "columns") and isinstance(raw, str | bytes | list):
            self._reader.columns = _columns_of(letter)
        if hasattr(self._reader, "row_of") and isinstance(raw, str | bytes):
            raw = self._reader.row_of(raw)
        elif isinstance(raw, str):
            raw = raw.encode()
        elif isinstance(raw, list) and not hasattr(self._reader, "columns"):
            raise ValueError("a row that is no text is mended in 'record': put the whole record there")
        return checked_decoded(self._reader.decode(raw))


def _text_of(letter: Mapping[str, object]) -> str | bytes:
    """Return a text, or exactly the bytes that came in, where these are told and nobody has mended the text."""
    text, exact = cast("str", letter["raw"]), letter.get("raw_base64")
    if isinstance(exact, str):
        from base64 import b64decode  # seldom

        came = b64decode(exact)
        if came.decode("utf-8", "replace") == text:
            return came
    return text


def _columns_of(letter: Mapping[str, object]) -> list[str]:
    """Return the columns of a row that came without its header."""
    columns = letter.get("columns", letter["record"])
    if not isinstance(columns, list | dict):
        message = "nothing tells the columns: expected the record in 'record', or the names of the columns in 'columns'"
        raise ValueError(message)  # noqa: TRY004 - a faulty record
    return [*columns]


def _as_json(record: Record) -> object:
    from plugline.pipeline.typed import json_of  # seldom

    return orjson.loads(json_of(record))
