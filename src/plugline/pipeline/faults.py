"""Failing records to lines of a dead letter file."""

import base64
import os
from collections.abc import Mapping, Sequence

# The tool's own format for faults is NDJSON; orjson comes with plugline[tool].
import orjson

from plugline.pipeline.plan import Plan
from plugline.pipeline.streams import SinkFile
from plugline.records import Broken, Position, RawBatch, Reader, Split
from plugline.records.loop import Failure


class DeadLetterFile:
    """One split's dead letters, written aside; the file appears with the first of them.

    Args:
        plan: For the names and digests of the plugins.
        split: Where the records come from.
    """

    def __init__(self, plan: Plan, split: Split) -> None:
        self.count = 0
        self._plan = plan
        self._split = split
        self._sink = SinkFile(plan.located(plan.dead_letters))
        self._open = False
        self._path: str | None = None

    def write(self, batch: RawBatch, failures: Sequence[Failure], reader: Reader) -> None:
        """Add the records of a batch that failed, as they came in.

        Raises:
            OSError, ValueError: They cannot be written.
        """
        lines = [_line(self._letter(batch, failure, reader)) for failure in failures]
        self.write_lines(lines)

    def write_lines(self, lines: Sequence[bytes]) -> None:
        """Add finished dead letters."""
        if not self._open:
            self._sink.__enter__()
            self._open = True
        self._sink.stream.write(b"\n".join([*lines, b""]))
        self.count += len(lines)

    def close(self) -> str | None:
        """Make sure that the file is on disk, and return its path.

        ``None`` where there was no dead letter, or what they go to is no regular file. May be called again.
        """
        if self._open:
            self._open = False
            self._path = self._sink.hand_over()
        return self._path

    def discard(self) -> None:
        """Remove the file."""
        self._sink.abandon()
        path, self._path = self._path, None
        if path is not None:
            os.unlink(path)

    def _letter(self, batch: RawBatch, failure: Failure, reader: Reader) -> Mapping[str, object]:
        raw = batch.raws[failure.index]
        text = raw.raw if isinstance(raw, Broken) else raw
        letter = {
            "record": None if failure.stage == 0 else _decoded_again(reader, raw),
            "raw": _as_text(text),
            "position": position_of(self._split, _position(batch, failure.index)),
            "step": self._step(failure),
            "error": {
                "type": failure.error.kind,
                "message": failure.error.message,
                "file": failure.error.path,
                "line": failure.error.line,
                "traceback": failure.traceback,
            },
        }
        if isinstance(letter["raw"], str) and isinstance(text, bytes) and "�" in letter["raw"]:
            # Bytes that are no text cannot stand in JSON; these can be had back exactly.
            letter["raw_base64"] = base64.b64encode(text).decode("ascii")
        return letter

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
            "generation": 1,
            "digest": step.use.digest,
        }


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
    found = {"path": split.path, "split": split.index}
    said = {"line": position.line, "offset": position.offset, "row": position.row}
    return {**found, **{key: value for key, value in said.items() if value is not None}}
