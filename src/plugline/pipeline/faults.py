"""Failing records to lines of a dead letter file."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

# The tool's own format for faults is NDJSON; orjson comes with plugline[tool].
import orjson

from plugline.pipeline.plan import Plan
from plugline.pipeline.remote import without_secret
from plugline.records import Broken, Position, RawBatch, Reader, Split
from plugline.records.loop import Failure


class DeadLetters:
    """One split's dead letters, as lines of NDJSON.

    Their positions count from where the split begins, since a process that reads it does not know what stood before;
    :func:`placed` makes those of the file of them.

    Args:
        plan: For the names and digests of the plugins.
    """

    def __init__(self, plan: Plan, split: Split) -> None:
        self.count = 0
        self._tracebacks: dict[str, list[int]] = {}  # of each the dead letters that were told it, in order
        self._plan = plan
        # What the header of a table, which a split of it begins with, adds to where its records stand.
        self._before = split.start - len(split.head)
        self._lines_before = lines_in(split.head)
        # What is the same for each failure of a kind is made once: one in ten records may fail.
        self._middles: dict[tuple[int, str, str | None, int | None], tuple[bytes, bytes]] = {}
        self._place = _json({"path": without_secret(split.path), "split": split.index})[:-1]

    def lines(self, batch: RawBatch, failures: Sequence[Failure], reader: Reader) -> bytes:
        """Return the dead letters of the records of a batch that failed, as they came in."""
        pieces: list[bytes] = []
        in_json = reader.decode is orjson.loads
        for failure in failures:
            error = failure.error
            if failure.traceback is not None:
                self._tracebacks.setdefault(failure.traceback, []).append(self.count)
            kind = failure.stage, error.kind, error.path, error.line
            before, after = self._middles.get(kind) or self._middle(failure, kind)
            if failure.record is not None:
                record, raw, counts = _record_json(failure.record), b"null" + _types(failure.record), b""
            else:
                came = batch.raws[failure.index]
                both = _json_as_it_came(came) if in_json and failure.stage else None
                record, raw = both or _decoded_again(came, reader, decodes=failure.stage > 0)
                counts = _counts(self._counted(_position(batch, failure.index)))
            # The position last, and its counts the last in it: see placed().
            pieces += (b'{"record":', record, b',"raw":', raw, before, _json(error.message), after, counts, b"}}\n")
            self.count += 1
        return b"".join(pieces)

    def number_of(self, traceback: str) -> int:
        """Return the number of the dead letter that is to be told a traceback, the next one each time; -1 for none."""
        told = self._tracebacks.get(traceback)
        return told.pop(0) if told else -1

    def _middle(self, failure: Failure, kind: tuple[int, str, str | None, int | None]) -> tuple[bytes, bytes]:
        """Return what stands before the message of an error in a line, and after it up to where the record stood."""
        error = failure.error
        before = b',"step":%b,"error":{"type":%b,"message":' % (_json(self._step(failure)), _json(error.kind))
        # The traceback is given to the first with this error in the run, when it is known which that is.
        after = b',"file":%b,"line":%b%b,"position":%b' % (_json(error.path), _json(error.line), _UNTOLD, self._place)
        if len(self._middles) < _MOST_KINDS:
            self._middles[kind] = before, after
        return before, after

    def position(self, batch: RawBatch, index: int) -> Position:
        """Return where a record of a batch stands in the split; its offset is that in the input."""
        return self._counted(_position(batch, index))

    def _counted(self, there: Position) -> Position:
        """Make the position in a split of that in the stream, which has the header before it."""
        if not self._before and not self._lines_before:
            return there
        return Position(
            line=None if there.line is None else there.line - self._lines_before,
            offset=None if there.offset is None else there.offset + self._before,
            row=there.row,
        )

    def _step(self, failure: Failure) -> Mapping[str, object]:
        if failure.stage == 0:
            return {"index": 0, "name": "source", "plugin": self._plan.reader.name}
        if failure.stage > len(self._plan.steps):
            return {"index": failure.stage, "name": "sink", "plugin": self._plan.writer.name}
        step = self._plan.steps[failure.stage - 1]
        return {
            "index": failure.stage,
            "name": step.label,
            "plugin": step.use.name,
            "version": step.use.version,
            "generation": step.generation,
            "digest": step.use.digest,
        }


_MOST_KINDS = 1_000  # that are remembered: a step can make up kinds and files without end
_UNTOLD = b',"traceback":null}'


def lines_in(head: bytes) -> int:
    """Return how many lines a header has."""
    return head.count(b"\n") or head.count(b"\r")


def _json(value: object) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # which orjson's own error is
        return _record_json(value)


def _record_json(record: object) -> bytes:
    from plugline.pipeline.typed import json_of  # what came as JSON goes as it came

    return json_of(record)


def _types(record: object) -> bytes:
    """Return what tells the types of a record that JSON has no word for, nothing where there are none."""
    from plugline.pipeline.typed import types_of

    types = types_of(record) if isinstance(record, dict) else {}
    return b',"types":' + orjson.dumps(types) if types else b""


def _json_as_it_came(raw: object) -> tuple[bytes, bytes] | None:
    """Return a record, and its text, where they came as JSON; ``None`` where that stands in more than one line."""
    if type(raw) is not bytes:
        return None
    record = raw.strip()
    return None if b"\r" in record or b"\n" in record else (record, orjson.dumps(raw.decode()))


def _decoded_again(raw: object, reader: Reader, *, decodes: bool) -> tuple[bytes, bytes]:
    """Return a record, decoded by ``reader``, and what it came in as."""
    # Decoded again and not kept: a step that failed may have changed the dict that it was given.
    record: object = None
    if decodes:
        # It was decoded once; what a reader of a stranger's does now is no reason to stop.
        with suppress(Exception):
            record = reader.decode(raw)
    # Of a dead letter that fails again, what it tells itself.
    told = reader.came(raw) if hasattr(reader, "came") else None
    return _record_json(record), (told or _told_of(raw, record, reader)) + _types(record)


def _told_of(raw: object, record: object, reader: Reader) -> bytes:
    came = raw.raw if isinstance(raw, Broken) else raw
    text = _as_text(came)
    told = _json(text)
    if isinstance(text, str) and isinstance(came, bytes) and "�" in text:
        # Bytes that are no text cannot stand in JSON; these can be had back exactly.
        import base64  # for such bytes only

        told += b',"raw_base64":"%b"' % base64.b64encode(came)
    columns = getattr(reader, "columns", None)
    if record is None and columns:
        # A row without its header: whoever mends it, and reads it again, has to know them.
        told += b',"columns":' + _json([*columns])
    return told


def _position(batch: RawBatch, index: int) -> Position:
    try:
        return batch.position(index)
    except Exception:  # noqa: BLE001 - as below: where a record stood is worth less than the record
        return Position()


def _as_text(raw: object) -> object:
    if isinstance(raw, (bytes, bytearray, memoryview)):
        return bytes(raw).decode("utf-8", "replace")
    if isinstance(raw, (str, int, float, list, tuple, dict)) or raw is None:
        return raw
    return repr(raw)


def position_of(split: Split, position: Position) -> Mapping[str, object]:
    """Return where a record stands, as dead letters and reports say it."""
    return _told(without_secret(split.path), split.index, position.line, position.offset, position.row)


def _told(path: str, split: int, line: int | None, offset: int | None, row: int | None) -> Mapping[str, object]:
    told: dict[str, object] = {"path": path, "split": split}
    if line is not None:
        told["line"] = line
    if offset is not None:
        told["offset"] = offset
    if row is not None:
        told["row"] = row
    return told


def placed(letters: bytes, place: Callable[[Position], Position]) -> bytes:
    """Make positions in the whole input of those in a split.

    Args:
        letters: Dead letters of one split.
        place: Given where something stands in the split, says where that is in the input.
    """
    counts = re.compile(_COUNTS).match
    return b"\n".join([*(_placed(line, place, counts) for line in letters.split(b"\n")[:-1]), b""])


def counted_on(letters: bytes, lines: int | None, rows: int) -> bytes:
    """Make positions in a file of those in a split of it.

    Args:
        letters: Dead letters of one split.
        lines: How many lines of the file come before the split, ``None`` where nobody knows.
        rows: How many records do.
    """
    counts, move = re.compile(_COUNTS).match, moved_on(lines, rows)
    made: list[bytes] = []
    begin = 0
    while (end := letters.find(b"\n", begin)) >= 0:
        at = letters.rfind(_SPLIT, begin, end)
        told = letters[at : end - 2].split(b",")
        if len(told) == _ALL_TOLD and lines is not None:
            split, line, offset, row = told
            # The offset is that in the input as it is.
            added = int(line[len(_LINE) :]) + lines, int(row[len(_ROW) :]) + rows
            made += (letters[begin:at], b'%b,"line":%d,%b,"row":%d}}\n' % (split, added[0], offset, added[1]))
        else:
            made.append(_placed(letters[begin:end], move, counts) + b"\n")
        begin = end + 1
    return b"".join(made)


def moved_on(lines: int | None, rows: int) -> Callable[[Position], Position]:
    """Return what makes of a position in a split that in its file, before whose split so many lines and records come."""

    def moved(there: Position) -> Position:
        line = None if there.line is None or lines is None else there.line + lines
        return Position(line=line, offset=there.offset, row=None if there.row is None else there.row + rows)

    return moved


# The counts stand at the end of the position, which stands at the end of the line: so the record need not be decoded.
_SPLIT, _LINE, _ROW = b'"split":', b'"line":', b'"row":'
_ALL_TOLD = 4  # the split, and three counts
_COUNTS = rb'"split":(\d+)(?:,"line":(\d+))?(?:,"offset":(\d+))?(?:,"row":(\d+))?\}\}$'


def _placed(
    line: bytes, place: Callable[[Position], Position], counts: Callable[[bytes, int], re.Match[bytes] | None]
) -> bytes:
    found = counts(line, line.rfind(_SPLIT))
    assert found is not None  # noqa: S101 - every letter ends so
    position = place(Position(line=_number(found[2]), offset=_number(found[3]), row=_number(found[4])))
    return line[: found.end(1)] + _counts(position) + b"}}"


def _number(digits: bytes | None) -> int | None:
    return None if digits is None else int(digits)


def _counts(position: Position) -> bytes:
    if position.line is not None and position.offset is not None and position.row is not None:
        return b',"line":%d,"offset":%d,"row":%d' % (position.line, position.offset, position.row)
    counts = b"" if position.line is None else b',"line":%d' % position.line
    if position.offset is not None:
        counts += b',"offset":%d' % position.offset
    return counts if position.row is None else counts + b',"row":%d' % position.row


def with_traceback(letters: bytes, number: int, traceback: str) -> bytes:
    """Give a traceback to one of the dead letters."""
    lines = letters.split(b"\n")
    before, _, after = lines[number].rpartition(_UNTOLD)
    lines[number] = b'%b,"traceback":%b}%b' % (before, orjson.dumps(traceback), after)
    return b"\n".join(lines)
