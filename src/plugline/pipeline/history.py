"""The journal of an output, what is done of a run in a file that outlives the process, to what has been committed of it.

A line for each split whose output and dead letters are written, appended after both. A process that is killed leaves
a last line that is whole or not; whatever is behind the last whole one was never committed, and is cut off. What the
machine itself had not brought to disk when it lost power is told by marks that are written every few seconds, each
after everything before it is on disk.
"""

import json
import os
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import field, replace
from typing import Self, cast
from zlib import crc32

import orjson

from plugline.clock import monotonic_seconds
from plugline.descriptors import AS_BYTES, lock_at_once, read_at, sync_data
from plugline.errors import ConfigurationError
from plugline.files import short_digest_of
from plugline.findings import Finding
from plugline.frozen import frozen
from plugline.pipeline.cutting import Followed, Mark
from plugline.pipeline.plan import Plan
from plugline.pipeline.remote import without_secret
from plugline.pipeline.report import Swap, added
from plugline.records import StepCounts

_BETWEEN_SYNCS_SECONDS = 5.0
_READ_BYTES = 2**20
_open_here: set[str] = set()  # a lock of POSIX keeps out other processes only


class JournalTaken(OSError):
    """Another run holds the journal."""


class Journal:
    """The journal of one run, open and locked."""

    def __init__(self, path: str, descriptor: int) -> None:
        """Do not call: see :meth:`open`."""
        self.path = path
        self._descriptor = descriptor
        self._synced_seconds = monotonic_seconds()

    @classmethod
    def open(cls, path: str) -> Self:
        """Open and lock a journal; made where there is none.

        Raises:
            JournalTaken: Another run has it.
            OSError: It cannot be opened.
        """
        if path in _open_here:
            raise JournalTaken(path)
        while True:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | AS_BYTES, 0o666)
            try:
                lock_at_once(descriptor)
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    break
            except FileNotFoundError:
                pass  # the run that had it ended and removed it between the two calls: make another
            except OSError as error:
                os.close(descriptor)
                raise JournalTaken(path) from error
            os.close(descriptor)
        _open_here.add(path)
        return cls(path, descriptor)

    def entries(self) -> Iterator[tuple[dict[str, object], int]]:
        """Yield the entries that are whole, each with the byte behind it. A run may have millions: they are read as they come."""
        at, end, held = 0, 0, b""
        # By the descriptor that holds the lock: with any other of this process on the file a lock of POSIX ends.
        while data := read_at(self._descriptor, _READ_BYTES, at):
            at += len(data)
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                end += len(line) + 1
                entry = _entry(line)
                if entry is None:
                    return
                yield entry, end

    def cut(self, end: int) -> None:
        """Forget what is behind a byte."""
        os.ftruncate(self._descriptor, end)

    def append(self, entry: Mapping[str, object]) -> None:
        """Add an entry.

        Raises:
            OSError: It could not be written, and is no part of the journal.
        """
        try:
            text = orjson.dumps(entry)
        except TypeError:
            # Half a character, as the name of a file may have: orjson takes none, and json escapes it.
            text = json.dumps(entry).encode("ascii")
        line = b"%08x " % crc32(text) + text + b"\n"
        written = os.write(self._descriptor, line)
        if written != len(line):
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - written)
            raise OSError(28, os.strerror(28), self.path)

    def sync_is_due(self) -> bool:
        """Whether so much time has passed that what was written is to be brought to disk."""
        return monotonic_seconds() - self._synced_seconds > _BETWEEN_SYNCS_SECONDS

    def mark_synced(self) -> None:
        """Note that all that the entries so far tell of is on disk, and bring the journal there."""
        self.append({"synced": True})
        sync_data(self._descriptor)
        self._synced_seconds = monotonic_seconds()

    def close(self, *, remove: bool) -> None:
        """Let go of it."""
        if remove and sys.platform != "win32" and os.path.exists(self.path):
            os.unlink(self.path)  # while it is locked, so that it is not another run's
        os.close(self._descriptor)
        if remove and sys.platform == "win32":
            # What is open cannot be removed there; and if another run has opened it meanwhile, it is that run's.
            with suppress(FileNotFoundError, PermissionError):
                os.unlink(self.path)
        _open_here.discard(self.path)


def _entry(line: bytes) -> dict[str, object] | None:
    check, _, text = line.partition(b" ")
    try:
        entry = _loaded(text) if int(check, 16) == crc32(text) else None
    except ValueError:
        return None
    return entry if isinstance(entry, dict) else None


def _loaded(text: bytes) -> object:
    try:
        return orjson.loads(text)
    except ValueError:
        return json.loads(text)  # see append()


def machine_start() -> str:
    """Return a name for the time since which this machine has been running; nothing where the system does not tell.

    What was written since then is there.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


@frozen(kw_only=True)
class Done:
    """What has been committed.

    Attributes:
        mark: Where the next split begins.
        parts: How many there were.
        written: How many records they hold.
        output_bytes: How long the output is.
        letters_bytes: How long the dead letters are.
        counts: Those of all parts together.
        errors: How often each distinct error came.
        tracebacks: Those of the first 20 distinct errors.
        columns: The fields of a table-shaped sink, once they are fixed.
        file: The file that the last split was of.
        lines: How many lines of that file come before the next split; ``None`` where its reader does not tell.
        rows: How many records of it do.
        swaps: The generations of plugins that were taken while the run went on.
    """

    mark: Mark = field(default_factory=Mark)
    parts: int = 0
    written: int = 0
    output_bytes: int = 0
    letters_bytes: int = 0
    counts: tuple[StepCounts, ...] = ()
    errors: Mapping[str, int] = field(default_factory=dict)
    tracebacks: Mapping[str, str] = field(default_factory=dict)
    columns: tuple[str, ...] | None = None
    file: int = -1
    lines: int | None = 0
    rows: int = 0
    swaps: tuple[Swap, ...] = ()

    @property
    def records(self) -> int:
        """How many records have been read."""
        return self.counts[0].entered if self.counts else 0

    @property
    def failed(self) -> int:
        """How many became dead letters."""
        return sum(count.failed for count in self.counts)

    def after(self, entry: Mapping[str, object], *, ordered: bool) -> "Done":
        """Return what has been committed with what an entry of the journal adds to it.

        Args:
            entry: See ``docs/reference/journal.md``.
        """
        if "swaps" in entry:
            told = cast("list[tuple[str, int, int]]", entry["swaps"])
            new = tuple(Swap(step=step, generation=generation, record=record) for step, generation, record in told)
            return replace(self, swaps=(*self.swaps, *new))
        if "content" in entry:
            return replace(self, output_bytes=cast("int", entry["output_bytes"]))
        if "mark" not in entry:
            return self
        index, file, start = cast("list[int]", entry["mark"])
        counts = tuple(
            StepCounts(
                name=name,
                entered=entered,
                created=created,
                out=out,
                dropped=dropped,
                failed=failed,
                seconds=seconds,
            )
            for name, entered, created, out, dropped, failed, seconds in cast(
                "list[tuple[str, int, int, int, int, int, float]]", entry["counts"]
            )
        )
        columns = cast("list[str] | None", entry["columns"])
        return replace(
            self,
            mark=Mark(index=index, file=file, start=start),
            parts=self.parts + 1,
            written=self.written + counts[-1].out,
            output_bytes=max(cast("int", entry["output_bytes"]), self.output_bytes if not ordered else 0),
            letters_bytes=cast("int", entry["letters_bytes"]),
            counts=added(self.counts, counts),
            errors=_sums(self.errors, cast("dict[str, int]", entry["errors"])),
            tracebacks={**self.tracebacks, **cast("dict[str, str]", entry["tracebacks"])},
            columns=None if columns is None else tuple(columns),
            file=cast("int", entry["file"]),
            lines=cast("int | None", entry["lines"]),
            rows=cast("int", entry["rows"]),
        )


class History:
    """What has been committed of an output, which its journal tells where it has one.

    Standard output and special files have none. An entry is appended when what it tells of is written.

    Attributes:
        done: What has been committed.
        goes_on: Whether an earlier run is gone on with.
        ending: Whether all is written, and only to be put in place.
        edited: The numbers of the steps of that run whose plugins were edited since.
        resumed_parts: How many parts it had.
        refused: Of the numbers of splits, the rows that a database refused.
        places: How far each file has been read where files are followed, the one that was read last at the end.
        counted: How many lines and rows of each that is.

    Args:
        plan: Says where the output belongs, for messages.
        follows: Whether there is no end, and so always one to go on with.
        takes_edits: Whether to go on also where plugins of steps were edited since.
    """

    def __init__(
        self,
        plan: Plan,
        identity: Mapping[str, object],
        *,
        resume: bool,
        ordered: bool,
        follows: bool,
        takes_edits: bool,
    ) -> None:
        """Nothing is opened yet."""
        self._plan = plan
        self._identity = dict(identity)
        self._named = self._identity  # that of the beginning, which names the run
        self._resume = resume
        self._ordered = ordered
        self._follows = follows
        self._takes_edits = takes_edits
        self._journal: Journal | None = None
        self._content_done: set[int] = set()
        self.done = Done()
        self.goes_on = False
        self.ending = False
        self.edited: frozenset[int] = frozenset()
        self.resumed_parts = 0
        self.refused: dict[int, Mapping[str, str]] = {}
        self.places: dict[str, Followed] = {}
        self.counted: dict[str, tuple[int | None, int]] = {}

    def open(self, path: str) -> None:
        """Open the journal, and take up what an earlier run committed where it is to be gone on with.

        Raises:
            ConfigurationError: Another run is writing this output, or what an earlier one left is of another pipeline or input.
            OSError: The journal cannot be opened.
        """
        try:
            journal = self._journal = Journal.open(path)
        except JournalTaken:
            message = f"another run is writing {without_secret(self._plan.sink)!r} at this moment"
            hint = "wait for its end, or write to another file"
            place = self._plan.config.place(("sink", "path"))
            raise ConfigurationError([Finding("C112", message, place, hint)]) from None
        machine, whole, trusted = None, 0, 0
        identities: list[tuple[int, dict[str, object]]] = []  # that of the beginning, and of each swap of plugins
        for entry, end in journal.entries():
            if "identity" in entry:
                identities.append((end, cast("dict[str, object]", entry["identity"])))
            machine, whole = entry.get("machine", machine), end
            if "machine" in entry or "synced" in entry:
                trusted = end
        if identities and self._resume:
            self.goes_on = True
            # Without power, what had not been brought to disk may be missing, whatever the journal says. It may have been without
            # where the system does not tell since when it runs.
            known = whole if machine and machine == machine_start() else trusted
            was = next((told for end, told in reversed(identities) if end <= known), identities[0][1])
            edited = self._refuse_differences(was)
            self._named = identities[0][1]
            self._go_on(journal, known)
            if self._has_some and not self.ending:
                self._refuse_mixture(edited)
                self.edited = edited
        if not self._has_some:
            journal.cut(0)
            journal.append({"journal": 1, "machine": machine_start(), "identity": self._identity})
        elif machine != machine_start():
            journal.append({"machine": machine_start()})

    @property
    def _has_some(self) -> bool:
        # The content of a part may be there without one that is done: where order is not asked for, it does not wait for the first.
        return self.done.parts > 0 or bool(self._content_done) or bool(self.refused)

    def _refuse_differences(self, identity: Mapping[str, object]) -> frozenset[int]:
        """Refuse to go on with what is not the same. Returns the numbers of the steps whose plugins were edited, and are taken."""
        differences = _differences(identity, self._identity)
        edited = _edited_steps(identity, self._identity)
        if not differences or (self._takes_edits and len(edited) == len(differences)):
            return edited
        hint = f"{self._anew}, or put back what it was"
        if len(edited) == len(differences) and not self._follows:
            hint += "; or go on with the plugin as it is now, from where the run ended, with --resume --watch"
        raise self._not_gone_on_with("; ".join(differences), hint)

    def _refuse_mixture(self, edited: Collection[int]) -> None:
        if edited and any(index >= self.done.mark.index for index in self._content_done):
            reason = "a step was edited, and some of what comes after the last record in order was made before that"
            raise self._not_gone_on_with(reason, f"{self._anew}, or put back what it was")

    def _not_gone_on_with(self, reason: str, hint: str) -> ConfigurationError:
        message = f"the run that was not finished cannot be gone on with: {reason}"
        return ConfigurationError([Finding("C113", message, self._plan.config.place(("sink", "path")), hint)])

    def _go_on(self, journal: Journal, end: int) -> None:
        """Take up what was done up to a byte of the journal."""
        for entry, behind in journal.entries():
            if behind > end:
                break
            self.take(entry)
        journal.cut(end)
        self.resumed_parts = self.done.parts

    def take(self, entry: Mapping[str, object]) -> None:
        """Count what an entry tells as committed."""
        if "content" in entry:
            self._content_done.add(cast("int", entry["content"]))
        elif "refused" in entry:
            index, told = cast("tuple[int, dict[str, str]]", entry["refused"])
            self.refused[index] = told
        elif "ending" in entry:
            self.ending = True
        elif "place" in entry:
            key, path, offset, check = cast("tuple[str, str, int, int]", entry["place"])
            self.places.pop(key, None)
            self.places[key] = Followed(key=key, path=path, offset=offset, check=check)
            self.counted[key] = cast("int | None", entry["lines"]), cast("int", entry["rows"])
        self.done = self.done.after(entry, ordered=self._ordered)

    def has_content(self, index: int) -> bool:
        """Whether an earlier run wrote the content of a part that did not come in order."""
        return index in self._content_done

    @property
    def is_kept(self) -> bool:
        """Whether there is a journal, by which a run can be gone on with."""
        return self._journal is not None

    @property
    def run_name(self) -> str:
        """A name for the run, the same when it is gone on with."""
        return short_digest_of(os.fsencode(repr(sorted(self._named.items(), key=str))))

    def append(self, entry: Mapping[str, object]) -> None:
        """Add an entry to the journal, if there is one.

        Raises:
            OSError: It could not be written.
        """
        if self._journal is not None:
            self._journal.append(entry)

    def sync_is_due(self) -> bool:
        """Whether what was written is to be brought to disk, and then :meth:`mark_synced` to be called."""
        return self._journal is not None and self._journal.sync_is_due()

    def mark_synced(self) -> None:
        """Note that all that was committed is on disk.

        Raises:
            OSError: The journal could not be brought there.
        """
        if self._journal is not None:
            self._journal.mark_synced()

    def close(self, *, remove: bool) -> None:
        """Let go of the journal."""
        journal, self._journal = self._journal, None
        if journal is not None:
            journal.close(remove=remove)

    def lost(self, path: str) -> ConfigurationError:
        """Return the error for a part of an earlier run's output that is not there any more."""
        return self._not_gone_on_with(f"a part of {path!r} is missing", self._anew)

    @property
    def _anew(self) -> str:
        """What to do to begin anew."""
        if self._follows and self._journal is not None:  # which is gone on with whenever it is there
            return f"remove {self._journal.path!r} to begin anew"
        return "run it without --resume to begin anew"


def _edited_steps(was: Mapping[str, object], now: Mapping[str, object]) -> frozenset[int]:
    """Return the numbers of the steps of which nothing is another than the bytes of the plugin."""
    found = set()
    for key, value in now.items():
        match key.split(" "), was.get(key), value:
            case ["step", number, *_], [name, before, *settings], [other, after, *others]:
                if before != after and (name, settings) == (other, others):
                    found.add(int(number))
    return frozenset(found)


def _differences(was: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    return [f"{key} changed" for key in {**was, **now} if was.get(key) != now.get(key)]


def _sums(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}
