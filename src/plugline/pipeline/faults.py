"""Failing records to lines of a dead letter file."""

import re
from collections.abc import Callable, Mapping, Sequence

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
        split: Where the records come from.
    """

    def __init__(self, plan: Plan, split: Split) -> None:
        self.count = 0
        self.tracebacks: dict[str, int] = {}
        self._plan = plan
        self._split = split
        self._shown_path = without_secret(split.path)
        # What the header of a table, which a split of it begins with, adds to where its records stand.
        self._before = split.start - len(split.head)
        self._lines_before = lines_in(split.head)
        self._steps: dict[int, Mapping[str, object]] = {}

    def lines(self, batch: RawBatch, failures: Sequence[Failure], reader: Reader) -> bytes:
        """Return the dead letters of the records of a batch that failed, as they came in."""
        lines = []
        for failure in failures:
            if failure.traceback is not None:
                self.tracebacks[failure.traceback] = self.count
            lines.append(_line(self._letter(batch, failure, reader)))
            self.count += 1
        return b"\n".join([*lines, b""])

    def _letter(self, batch: RawBatch, failure: Failure, reader: Reader) -> Mapping[str, object]:
        raw = batch.raws[failure.index] if failure.record is None else None
        text = raw.raw if isinstance(raw, Broken) else raw
        record: object = failure.record
        if record is None and failure.stage != 0:
            record = _decoded_again(reader, raw)
        step = self._steps.get(failure.stage)
        if step is None:
            step = self._steps[failure.stage] = self._step(failure)
        letter = {
            "record": record,
            "raw": _as_text(text),
            "step": step,
            "error": {
                "type": failure.error.kind,
                "message": failure.error.message,
                "file": failure.error.path,
                "line": failure.error.line,
                "traceback": None,  # given to the first with this error in the run, when it is known which that is
            },
        }
        if isinstance(letter["raw"], str) and isinstance(text, bytes) and "�" in letter["raw"]:
            # Bytes that are no text cannot stand in JSON; these can be had back exactly.
            import base64  # noqa: PLC0415 - for such bytes only

            letter["raw_base64"] = base64.b64encode(text).decode("ascii")
        # Last, and its counts the last in it: see placed().
        letter["position"] = self._position(batch, failure)
        return letter

    def _position(self, batch: RawBatch, failure: Failure) -> Mapping[str, object]:
        if failure.record is not None:
            return _told(self._shown_path, self._split.index, None, None, None)
        return _told(self._shown_path, self._split.index, *self._counts(batch, failure.index))

    def position(self, batch: RawBatch, index: int) -> Position:
        """Return where a record of a batch stands in the split; its offset is that in the input."""
        line, offset, row = self._counts(batch, index)
        return Position(line=line, offset=offset, row=row)

    def _counts(self, batch: RawBatch, index: int) -> tuple[int | None, int | None, int | None]:
        position = _position(batch, index)
        line, offset = position.line, position.offset
        return (
            None if line is None else line - self._lines_before,
            None if offset is None else offset + self._before,
            position.row,
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


def lines_in(head: bytes) -> int:
    """Return how many lines a header has."""
    return head.count(b"\n") or head.count(b"\r")


def _line(letter: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(letter, default=str)
    except TypeError:  # which orjson's own error is
        return orjson.dumps(_plain(letter))


def _plain(value: object) -> object:
    """Return a value as near as JSON can hold it: a dead letter that cannot be written would end the run."""
    match value:
        case None | bool() | float():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case str():
            return value.encode("utf-8", "backslashreplace").decode("utf-8")
        case dict():
            return {str(_plain(str(key))): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
    try:
        return _plain(str(value))
    except Exception:  # noqa: BLE001 - a stranger's object, which need not even be shown
        return f"an object of type {type(value).__name__}"


def _position(batch: RawBatch, index: int) -> Position:
    try:
        return batch.position(index)
    except Exception:  # noqa: BLE001 - as below: where a record stood is worth less than the record
        return Position()


def _decoded_again(reader: Reader, raw: object) -> object:
    # Decoded again and not kept: a step that failed may have changed the dict that it was given.
    try:
        return reader.decode(raw)
    except Exception:  # noqa: BLE001 - it was decoded once; what a reader of a stranger's does now is no reason to stop
        return None


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
    counts = re.compile(_COUNTS).match
    made: list[bytes] = []
    for letter in letters.split(b"\n")[:-1]:
        found = counts(letter, letter.rfind(_SPLIT))
        assert found is not None  # noqa: S101 - every letter ends so
        line, row = found[2], found[4]
        at = found.end(1)
        if line is not None:
            made.append(letter[:at] if lines is None else b'%b,"line":%d' % (letter[:at], int(line) + lines))
            at = found.end(2)
        else:
            made.append(letter[:at])
        # The offset is that in the input as it is.
        made.append(letter[at:] if row is None else b"%b%d}}" % (letter[at : found.start(4)], int(row) + rows))
        made.append(b"\n")
    return b"".join(made)


# The counts stand at the end of the position, which stands at the end of the line: so the record need not be decoded.
_SPLIT = b'"split":'
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
    counts = b"" if position.line is None else b',"line":%d' % position.line
    if position.offset is not None:
        counts += b',"offset":%d' % position.offset
    return counts if position.row is None else counts + b',"row":%d' % position.row


def with_traceback(letters: bytes, number: int, traceback: str) -> bytes:
    """Give a traceback to one of the dead letters."""
    lines = letters.split(b"\n")
    letter = orjson.loads(lines[number])
    letter["error"]["traceback"] = traceback
    lines[number] = orjson.dumps(letter)
    return b"\n".join(lines)
