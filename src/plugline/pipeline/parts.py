"""The parts of a run to its output: appended as they come, put in place when all of them are there.

Invariants that the tests name by their numbers:

1. Nothing has its final name before :meth:`Committer.commit`, standard output and special files apart.
2. What the journal says is written: an entry follows the bytes that it tells of.
3. What is written beyond the last entry is cut off before anything is appended.
"""

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import field, replace
from io import BytesIO, RawIOBase
from itertools import chain
from typing import Any, BinaryIO, Self, cast

from plugline.descriptors import WRITING
from plugline.errors import ConfigurationError, RunStopped
from plugline.files import reason_of, relative_path, short_digest_of
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.pipeline.aside import Aside
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.cutting import Cut, Followed, Mark
from plugline.pipeline.faults import counted_on, moved_on, placed, with_traceback
from plugline.pipeline.journal import Journal, JournalTaken, machine_start
from plugline.pipeline.plan import Plan, digest_of, goes_straight
from plugline.pipeline.remote import has_scheme, without_secret
from plugline.pipeline.report import Swap, added
from plugline.pipeline.split import SplitWork, letters_finding, writes_alone
from plugline.pipeline.streams import (
    SinkFile,
    compressed_bytes,
    compression_of,
    standard_writer,
)
from plugline.records import Assembles, OpensSink, Part, Position, Sink, StepCounts
from plugline.records.values import SlowRecord

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported where the output is in parts
    from plugline.pipeline.folders import PartFolder

_COPIED_BYTES = 2**20  # at a time; shutil has the same loop, and half a bare interpreter's start of imports
MOST_TRACEBACKS = 20  # of a run: "full tracebacks for the first 20 distinct errors"


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
        places: How far each file has been read, where files are followed.
        counted: How many lines and rows of each that is.
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
    places: Mapping[str, Followed] = field(default_factory=dict)
    counted: Mapping[str, tuple[int | None, int]] = field(default_factory=dict)
    swaps: tuple[Swap, ...] = ()

    @property
    def records(self) -> int:
        """How many records have been read."""
        return self.counts[0].entered if self.counts else 0

    @property
    def failed(self) -> int:
        """How many became dead letters."""
        return sum(count.failed for count in self.counts)


class _Straight:
    """Standard output or a special file, which is written as it goes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.aside = path
        self.bytes = 0
        self._descriptor: int | None = None
        if path == "-":
            self._write = standard_writer()
        else:
            descriptor = self._descriptor = os.open(path, WRITING)
            self._write = lambda data: os.write(descriptor, cast("bytes", data))

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            view = memoryview(piece)
            while view:
                view = view[self._write(view) :]
            self.bytes += len(piece)

    def sync(self) -> None:
        """It is gone as soon as it is written."""

    def put_in_place(self) -> None:
        self.close()

    def copy(self, count: int, more: bytes) -> None:
        self.write([more])  # the others are gone there already

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    remove = close


def _assemble(form: Assembles, parts: BinaryIO, stream: BinaryIO, columns: tuple[str, ...] | None) -> None:
    """Have a format put its parts together.

    Raises:
        OSError, ValueError: It could not, whatever it raised itself.
    """
    try:
        form.assemble(parts, stream, columns=columns)
    except (OSError, ValueError):
        raise
    except Exception as error:  # whatever a stranger's format raises
        raise ValueError(f"{type(error).__name__}: {error}") from error


class _Gathered(_Straight):
    """The same for a format whose output is made of all parts at the end: until then they are in a file without a name."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        from tempfile import TemporaryFile  # noqa: PLC0415 - few outputs are such

        self._parts = TemporaryFile()  # noqa: SIM115 - closed by close()

    def write(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            self._parts.write(piece)
            self.bytes += len(piece)

    def assemble(self, form: Assembles, columns: tuple[str, ...] | None) -> None:
        self._parts.seek(0)
        _assemble(form, cast("BinaryIO", self._parts), cast("BinaryIO", _Stream(super().write)), columns)

    def close(self) -> None:
        self._parts.close()
        super().close()

    remove = close


class _Stream(RawIOBase):
    """What can be written to, and cannot be gone back in, as a stream that knows where it is."""

    def __init__(self, write: Callable[[Sequence[bytes | memoryview]], None]) -> None:
        self._write = write
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._write([data])
        self._at += len(data)
        return len(data)

    def tell(self) -> int:
        return self._at


class Committer:
    """Takes parts as they come; nothing has its final name before :meth:`commit`.

    Leaving the ``with`` block without it leaves what has been committed aside, with its journal, where the run can be gone
    on with; otherwise everything is as it was.
    """

    def __init__(
        self,
        plan: Plan,
        bound: BoundPlan,
        identity: Mapping[str, object],
        *,
        resume: bool,
        ordered: bool,
        follows: bool = False,
        takes_edits: bool = False,
    ) -> None:
        """Nothing is opened yet.

        Args:
            plan: Says where output and dead letters belong.
            bound: Its format writes what stands before, between and after the parts.
            identity: What must be the same when the run is gone on with.
            resume: Whether to go on with one that was not finished, if there is one.
            ordered: Whether parts come in the order of the splits.
            follows: Whether there is no end: output and dead letters are written in their places as it goes.
            takes_edits: Whether to go on also where plugins of steps were edited since: see :attr:`edited`.
        """
        self._follows = follows
        self._takes_edits = takes_edits
        self._plan = plan
        self._form = bound.writer
        self._identity = dict(identity)
        self._named = self._identity  # that of the beginning, which names the run
        self._resume = resume
        self._ordered = ordered
        self._bound = bound
        self._alone = plan.part_suffix is not None or writes_alone(bound.writer)
        self._separator = b"" if self._alone else compressed_bytes(bound.separator, plan.sink)
        self._sink: Sink | None = None
        self._sink_parts = 0
        self._goes_on = False
        self._output: Aside | _Straight | None = None
        self._folder: PartFolder | None = None  # the same, where the output is one
        self._letters: Aside | _Straight | None = None
        self._journal: Journal | None = None
        self._waiting: dict[int, tuple[Cut, Part]] = {}
        self._content_done: set[int] = set()
        self._ending = False  # all is written, and only to be put in place
        self._ended = False
        self.resumed_parts = 0
        self.edited: frozenset[int] = frozenset()  # the numbers of the steps, of a run that is gone on with
        self.done = Done()
        self.slowest: list[SlowRecord] = []
        self.needs_columns = False
        self._head = b""

    # ------------------------------------------------------------------------- beginning

    def __enter__(self) -> Self:
        """Open everything, and find what an earlier run left.

        Raises:
            RunStopped: Output or dead letters cannot be written here.
            ConfigurationError: Another run is writing them, or what was left is of another pipeline or input.
        """
        try:
            self._open()
        except BaseException:
            self._close(keep=True)
            raise
        return self

    def _open(self) -> None:
        plan = self._plan
        sink, letters = plan.located(plan.sink), plan.located(plan.dead_letters)
        try:
            if plan.part_suffix is not None:
                self._open_parts(sink, plan.part_suffix)
            elif hasattr(self._form, "open_sink"):
                self._open_sink(sink)
            elif goes_straight(sink):
                gathered = hasattr(self._form, "assemble")
                if gathered and self._follows:
                    self._refuse_an_end()
                self._output = _Gathered(sink) if gathered else _Straight(sink)
            else:
                if self._follows:
                    self._refuse_an_end()
                output = self._output = Aside(sink, "part", in_place=self._follows)
                output.refuse_what_is_no_file()
                self._open_journal(Aside(sink, "journal").aside)
                if not self._ending and not output.open(self.done.output_bytes):
                    raise self._lost(output.aside)
            self._probe()
        except ValueError as error:
            # A database says more than that a folder is missing.
            hint = f"plugline info {plan.writer.name} tells its settings" if hasattr(self._form, "open_sink") else None
            finding = Finding("C111", f"cannot be written to: {error}", Place(without_secret(plan.sink)), hint)
            raise ConfigurationError([finding]) from error
        except OSError as error:
            raise self._stopped(error) from error
        if not goes_straight(
            letters
        ):  # which are opened with the first of them: a pipe may have nobody at its other end
            self._open_letters(letters)

    def _open_sink(self, sink: str) -> None:
        """Let the format open its own sink, such as a database."""
        if self._follows:
            self._refuse_an_end()
        plan = self._plan
        if sink == "-":
            raise ValueError(f"standard output is a stream, and the format {plan.writer.name!r} writes none")
        self._open_journal(os.path.join(plan.folder, f".plugline.{short_digest_of(os.fsencode(plan.sink))}.journal"))
        form = cast("OpensSink", self._form)
        self._sink, self._sink_parts = form.open_sink(sink, run=self._run_name(), resume=self._goes_on)
        if self.done.written and not self._sink_parts:
            raise self._lost(without_secret(plan.sink))

    def _open_parts(self, sink: str, suffix: str) -> None:
        if hasattr(self._form, "open_sink"):
            message = f"the format {self._plan.writer.name!r} writes no files, and so no parts"
            place = self._plan.config.place(("sink", "parts"))
            raise ConfigurationError([Finding("C111", message, place, "leave out parts in [sink]")])
        if self._follows:
            self._refuse_an_end()
        from plugline.pipeline.folders import PartFolder  # noqa: PLC0415 - see above

        folder = self._output = self._folder = PartFolder(sink, suffix)
        self._open_journal(Aside(sink, "journal").aside)
        if not self._ending and not folder.open(self.done.output_bytes):
            raise self._lost(sink)

    def _open_letters(self, letters: str) -> None:
        aside = self._letters = Aside(letters, "letters", in_place=self._follows)
        if self.done.letters_bytes and not self._ending:
            try:
                if not aside.open(self.done.letters_bytes):
                    raise self._lost(aside.aside)
            except OSError as error:
                raise RunStopped(letters_finding(self._plan, error)) from error

    def _run_name(self) -> str:
        return short_digest_of(os.fsencode(repr(sorted(self._named.items(), key=str))))

    def _probe(self) -> None:
        """Find out what stands before all parts, and whether the first record fixes the columns."""
        if self._alone:
            writer = self._form.writer()
            self.needs_columns = getattr(writer, "fixes_columns", True) and self.done.columns is None
            return
        begin, columns = self._edge(first=True, last=False)
        writer = self._form.writer()
        fixes = getattr(writer, "fixes_columns", True)
        self.needs_columns = fixes and columns is None and self.done.columns is None and self.done.written == 0
        if not self.needs_columns:
            self._head = begin
        if columns is not None and self.done.columns is None:
            self.done = replace(self.done, columns=columns)

    def _edge(self, *, first: bool, last: bool) -> tuple[bytes, tuple[str, ...] | None]:
        """Return what a part without records is that begins the output, or ends it."""
        stream = BytesIO()
        writer = self._form.writer()
        writer.open(cast("BinaryIO", stream), first=first, columns=self.done.columns)
        columns = writer.columns
        writer.close(last=last)
        return stream.getvalue(), columns

    def _open_journal(self, path: str) -> None:
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
            self._goes_on = True
            # Without power, what had not been brought to disk may be missing, whatever the journal says.
            known = whole if machine == machine_start() else trusted
            was = next((told for end, told in reversed(identities) if end <= known), identities[0][1])
            edited = self._refuse_differences(was)
            self._named = identities[0][1]
            self._go_on(journal, known)
            if self.done.parts and not self._ending:
                self._refuse_mixture(edited)
                self.edited = edited
        if not self.done.parts:
            journal.cut(0)
            journal.append({"journal": 1, "machine": machine_start(), "identity": self._identity})
        elif machine != machine_start():
            journal.append({"machine": machine_start()})

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
            self._restore(entry)
        journal.cut(end)
        self.resumed_parts = self.done.parts

    def _restore(self, entry: dict[str, object]) -> None:
        if "content" in entry:
            self._content_done.add(cast("int", entry["content"]))
            self.done = replace(self.done, output_bytes=cast("int", entry["output_bytes"]))
        elif "ending" in entry:
            self._ending = True
        elif "swaps" in entry:
            told = cast("list[tuple[str, int, int]]", entry["swaps"])
            new = tuple(Swap(step=step, generation=generation, record=record) for step, generation, record in told)
            self.done = replace(self.done, swaps=(*self.done.swaps, *new))
        elif "mark" in entry:
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
            places, counted = self.done.places, self.done.counted
            if "place" in entry:
                key, path, offset, check = cast("tuple[str, str, int, int]", entry["place"])
                places = {**places, key: Followed(key=key, path=path, offset=offset, check=check)}
                counted = {**counted, key: (cast("int | None", entry["lines"]), cast("int", entry["rows"]))}
            self.done = replace(
                self.done,
                mark=Mark(index=index, file=file, start=start),
                parts=self.done.parts + 1,
                written=self.done.written + counts[-1].out,
                output_bytes=max(
                    cast("int", entry["output_bytes"]), self.done.output_bytes if not self._ordered else 0
                ),
                letters_bytes=cast("int", entry["letters_bytes"]),
                counts=added(self.done.counts, counts),
                errors=_sums(self.done.errors, cast("dict[str, int]", entry["errors"])),
                tracebacks={**self.done.tracebacks, **cast("dict[str, str]", entry["tracebacks"])},
                columns=None if columns is None else tuple(columns),
                file=cast("int", entry["file"]),
                lines=cast("int | None", entry["lines"]),
                rows=cast("int", entry["rows"]),
                places=places,
                counted=counted,
            )

    # ------------------------------------------------------------------------- part by part

    def add(self, cut: Cut, part: Part) -> None:
        """Take the next part.

        Raises:
            RunStopped: It could not be appended.
            BrokenPipeError: Whoever read standard output has gone.
        """
        index = cut.split.index
        if index not in self._content_done:
            self._write_content(part)
            if not self._ordered and self._journal is not None and self._folder is None:
                self._journalled({"content": index, "output_bytes": self._output_bytes})
        self._waiting[index] = cut, replace(part, content=())
        while self.done.mark.index in self._waiting:
            self._settle(*self._waiting.pop(self.done.mark.index))

    def take_over(self, identity: Mapping[str, object], swaps: Sequence[Swap]) -> None:
        """Note that from here on the plugins are others.

        Args:
            identity: What must be the same from now on when the run is gone on with.
            swaps: What is another generation.

        Raises:
            RunStopped: It could not be noted.
        """
        told = [[one.step, one.generation, one.record] for one in swaps]
        entry: dict[str, object] = {"swaps": told, "identity": dict(identity)}
        if self._journal is not None:
            self._journalled(entry)
        self._restore(entry)

    def columns_are(self, columns: tuple[str, ...] | None) -> None:
        """Take the columns that the first part with records fixed, if it did."""
        self.needs_columns = False
        self.done = replace(self.done, columns=columns or self.done.columns)

    @property
    def _output_bytes(self) -> int:
        return self._output.bytes if self._output is not None else 0

    def _write_content(self, part: Part) -> None:
        if self._folder is not None:
            self._take_part(self._folder, part)
            return
        if not part.counts[-1].out:
            return
        try:
            if self._sink is not None:
                if self.done.parts >= self._sink_parts:
                    content = b"".join(chain.from_iterable(_contents(part)))
                    self._sink.add(self.done.parts, content, columns=part.columns or self.done.columns)
            elif self._output is not None:
                before = self._separator
                if not self._output.bytes:
                    before = compressed_bytes(self._head, self._plan.sink) if not self._alone else b""
                for pieces in _contents(part):
                    self._output.write([before, *pieces] if before else pieces)
                    before = b""
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise self._stopped(error) from error

    def _take_part(self, folder: "PartFolder", part: Part) -> None:
        try:
            folder.take(part)
        except FileNotFoundError as error:
            name = os.path.basename(part.path or "")
            message = f"the part {name!r} is not in the folder that it was written to: is it the same for all workers?"
            raise RunStopped(Finding("R180", message, Place(self._plan.sink))) from error
        except OSError as error:
            raise self._stopped(error) from error

    def _settle(self, cut: Cut, part: Part) -> None:
        """Take the dead letters of a part whose content is written, and note that it is done."""
        letters, told, columns = self._letters_of(cut, part), self.done.tracebacks, part.columns or self.done.columns
        new: dict[str, str] = {}
        for key, (number, text) in part.tracebacks.items():
            if key not in told and len(told) + len(new) < MOST_TRACEBACKS:
                new[key] = text
                if number >= 0:
                    letters = with_traceback(letters, number, text)
        if letters:
            self._write_letters(letters)
        if self._folder is not None and part.path is not None:
            self._note_part(self._folder, part)
        lines_before, rows_before = self._before(cut)
        self._take_slowest(cut, part)
        entry = {
            "mark": [cut.after.index, cut.after.file, cut.after.start],
            "output_bytes": self._output_bytes,
            "letters_bytes": self._letters.bytes if self._letters is not None else 0,
            "counts": [
                [one.name, one.entered, one.created, one.out, one.dropped, one.failed, one.seconds]
                for one in part.counts
            ],
            "errors": dict(part.errors),
            "tracebacks": new,
            "columns": columns,
            "file": cut.after.file,
            "lines": None if lines_before is None or part.lines is None else lines_before + part.lines,
            "rows": rows_before + part.counts[0].entered,
        }
        if cut.followed is not None:
            entry["place"] = [cut.followed.key, cut.followed.path, cut.followed.offset, cut.followed.check]
        if self._journal is not None:
            self._journalled(entry)
        self._restore(entry)
        if part.path is not None and self._folder is None:
            os.unlink(part.path)
        if part.dead_letters_path is not None:
            os.unlink(part.dead_letters_path)

    def _note_part(self, folder: "PartFolder", part: Part) -> None:
        try:
            folder.note(part)
        except OSError as error:
            raise self._stopped(error) from error

    def _before(self, cut: Cut) -> tuple[int | None, int]:
        """Return how many lines and rows of its file stand before a split."""
        if cut.followed is not None:
            return (0, 0) if cut.followed.begins else self.done.counted.get(cut.followed.key, (None, 0))
        return (self.done.lines, self.done.rows) if cut.after.file == self.done.file else (0, 0)

    def _letters_of(self, cut: Cut, part: Part) -> bytes:
        letters = part.dead_letters
        if part.dead_letters_path is not None:
            with open(part.dead_letters_path, "rb") as file:
                letters = file.read()
        if not letters:
            return letters
        if cut.position is not None:
            return placed(letters, cut.position)
        before = self._before(cut)
        return letters if before == (0, 0) else counted_on(letters, *before)

    def _place(self, cut: Cut) -> Callable[[Position], Position]:
        """Return what says where something that stands in a split stands in its file."""
        return cut.position or moved_on(*self._before(cut))

    def _take_slowest(self, cut: Cut, part: Part) -> None:
        if not part.slowest:
            return
        place = self._place(cut)
        found = [replace(one, position=place(one.position), path=cut.split.path) for one in part.slowest]
        self.slowest = sorted([*self.slowest, *found], key=lambda one: -one.seconds)[: self._plan.slowest]

    def _write_letters(self, letters: bytes) -> None:
        try:
            if self._letters is None:
                self._letters = _Straight(self._plan.located(self._plan.dead_letters))
            elif isinstance(self._letters, Aside) and not self._letters.bytes:
                self._letters.close()
                self._letters.open()
            self._letters.write([letters])
        except OSError as error:
            raise RunStopped(letters_finding(self._plan, error)) from error

    def _journalled(self, entry: Mapping[str, object]) -> None:
        journal = cast("Journal", self._journal)
        try:
            journal.append(entry)
            if journal.sync_is_due():
                for file in (self._output, self._letters):
                    if file is not None:
                        file.sync()
                journal.mark_synced()
        except OSError as error:
            raise self._stopped(error) from error

    # ------------------------------------------------------------------------- the end

    def commit(self) -> str | None:
        """Put dead letters, then the output, in place, and remove what an earlier run left of dead letters.

        Returns:
            The dead letter file of an earlier run, where there was one and this run had none: it was removed, since
            it would be taken for this run's.

        Raises:
            RunStopped: They could not be put in place.
        """
        try:
            path = self._plan.located(self._plan.dead_letters)
            stale = not self.done.failed and os.path.isfile(path)
            if not self._ending:
                self._finish_writing()
            if self._letters is not None and self.done.letters_bytes:
                self._letters.put_in_place()
                self._letters = None
            if self._sink is not None:
                self._sink.finish()
            elif self._folder is None and hasattr(self._form, "assemble"):
                self._assemble()
            elif self._output is not None:
                self._output.put_in_place()
                self._output = None
            if stale:
                os.unlink(path)
        except BrokenPipeError:
            raise
        except (OSError, ValueError) as error:
            raise self._stopped(error) from error
        self._ended = True
        return self._plan.dead_letters if stale else None

    def _finish_writing(self) -> None:
        self._write_end()
        if self._folder is not None:
            self._write_manifest(self._folder)
        for file in (self._output, self._letters):
            if file is not None:
                file.sync()
        if self._journal is not None:
            # From here on there is nothing to be done again, whatever has its place already.
            self._journal.append({"ending": True})

    def _write_end(self) -> None:
        if self._alone or self._output is None:
            return
        if not self._output.bytes and not self.done.written:
            end, _ = self._edge(first=True, last=True)
        else:
            end, _ = self._edge(first=False, last=True)
        if end:
            self._output.write([compressed_bytes(end, self._plan.sink)])

    def _write_manifest(self, folder: "PartFolder") -> None:
        if not folder.count:
            with SplitWork(self._plan, self._bound) as work:
                part = work.empty_part(self.done.columns)
            folder.take(part)
            folder.note(part)
        done, letters, located = self.done, None, self._plan.located
        if done.failed:
            beside = relative_path(located(self._plan.dead_letters), located(self._plan.sink)).replace(os.sep, "/")
            letters = {"path": beside, "records": done.failed}
        folder.finish(
            {
                "plan": digest_of(self._plan),
                "format": self._plan.writer.name,
                "records": done.written,
                "bytes": folder.part_bytes,
                "dead_letters": letters,
            }
        )

    def _assemble(self) -> None:
        if isinstance(self._output, _Gathered):
            self._output.assemble(cast("Assembles", self._form), self.done.columns)
            self._output.put_in_place()
            self._output = None
            return
        output = cast("Aside", self._output)
        output.close()
        if not os.path.exists(output.aside):
            return  # it was made, and what it was made of removed
        with open(output.aside, "rb") as parts, SinkFile(self._plan.located(self._plan.sink)) as whole:
            _assemble(cast("Assembles", self._form), parts, whole.stream, self.done.columns)
            whole.commit()

    def keep_dead_letters(self, last: Part | None, cut: Cut | None) -> str | None:
        """Put the dead letters of a run that stopped in place, those of its unfinished split included.

        Returns:
            Where they are; ``None`` where there are none, or they could not be kept.
        """
        more = self._letters_of(cut, last) if last is not None and cut is not None else b""
        for key, (number, text) in last.tracebacks.items() if last is not None else ():
            if more and number >= 0 and key not in self.done.tracebacks:
                more = with_traceback(more, number, text)
        before = self.done.letters_bytes
        if not more and not before:
            return None
        try:
            if self._letters is None:
                self._write_letters(b"")
            if self._letters is not None:
                self._letters.copy(before, more)
        except (OSError, RunStopped):
            return None
        return self._plan.dead_letters

    @property
    def parts_written(self) -> int | None:
        """How many files the output has, ``None`` where it is not one in parts."""
        return None if self._folder is None else self._folder.count

    @property
    def all_done(self) -> bool:
        """Whether the run that is gone on with had come to its end, and something has not got its final name."""
        return self._ending

    @property
    def resumable(self) -> bool:
        """Whether a run that stops now can be gone on with."""
        return self._journal is not None and (self.done.parts > 0 or self._follows) and not self._ended

    def _refuse_an_end(self) -> None:
        end, _ = self._edge(first=False, last=True)
        what = ""
        if self._plan.part_suffix is not None:
            what = "the manifest of an output in parts is written at its end"
        elif hasattr(self._form, "open_sink"):
            what = "the rows of a database are put in place at the end"
        elif end or self._alone:
            what = "the format of its output has an end, which never comes"
        elif has_scheme(self._plan.sink) or compression_of(self._plan.sink) == ".zip":
            what = "its output appears only when it is whole"
        if what:
            place = self._plan.config.place(("sink", "path"))
            hint = "write ndjson, csv or lines to a file, or to standard output"
            raise ConfigurationError([Finding("C114", f"this pipeline cannot follow its source: {what}", place, hint)])

    def pause(self) -> None:
        """Bring what is written to disk; it is gone on with later.

        Raises:
            RunStopped: It could not be brought there.
        """
        try:
            for file in (self._output, self._letters):
                if file is not None:
                    file.sync()
            if self._journal is not None:
                self._journal.mark_synced()
        except OSError as error:
            raise self._stopped(error) from error

    def forget(self) -> None:
        """Leave nothing of the run, though it did not come to its end."""
        self._ended = True

    def __exit__(self, *_: object) -> None:
        self._close(keep=self.resumable)

    def _close(self, *, keep: bool) -> None:
        for file in (self._output, self._letters):
            if file is not None:
                (file.close if keep else file.remove)()
        if self._journal is not None:
            self._journal.close(remove=not keep)
            self._journal = None
        if self._sink is not None:
            # After the journal: what it takes away tells a run that goes on by that journal that all is done.
            with suppress(OSError, ValueError):
                self._sink.close()

    def _lost(self, path: str) -> ConfigurationError:
        return self._not_gone_on_with(f"a part of {path!r} is missing", self._anew)

    @property
    def _anew(self) -> str:
        """What to do to begin anew."""
        if self._follows and self._journal is not None:  # which is gone on with whenever it is there
            return f"remove {self._journal.path!r} to begin anew"
        return "run it without --resume to begin anew"

    def _stopped(self, error: OSError | ValueError) -> RunStopped:
        is_gone = isinstance(error, FileNotFoundError)
        way = "leave it alone until the run has ended" if is_gone else "make room, or write to another file"
        hint = f"{way}; {self.done.written:,} records had been written"
        if not self._follows and not isinstance(self._output, _Straight):
            hint += " aside; what was in place before still is"
        place = Place(without_secret(self._plan.sink))
        return RunStopped(Finding("R102", f"cannot be written: {reason_of(error)}", place, hint))


def _sums(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {key: first.get(key, 0) + second.get(key, 0) for key in {**first, **second}}


def _contents(part: Part) -> Iterator[Sequence[bytes | memoryview]]:
    """Yield the pieces of a part, of one in a file no more at a time than is to be held: it may be of any size."""
    if part.path is None:
        yield part.content
        return
    with open(part.path, "rb") as file:
        while piece := file.read(_COPIED_BYTES):
            yield [piece]


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
    """Say in words what is not as it was."""
    return [f"{key} changed" for key in {**was, **now} if was.get(key) != now.get(key)]
