"""The parts of a run to its output: appended as they come, put in place when all of them are there.

Invariants that the tests name by their numbers:

1. Nothing has its final name before :meth:`Committer.commit`, standard output and special files apart.
2. What the journal says is written: an entry follows the bytes that it tells of.
3. What is written beyond the last entry is cut off before anything is appended.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from io import BytesIO
from itertools import chain
from typing import BinaryIO, Self, TypeAlias, cast

from plugline.errors import ConfigurationError, RunStopped
from plugline.files import reason_of, relative_path, short_digest_of
from plugline.findings import Finding, Place, apart
from plugline.pipeline.aside import Aside, Gathered, Straight
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.cutting import Cut, Followed
from plugline.pipeline.faults import counted_on, moved_on, placed, with_traceback
from plugline.pipeline.history import Done, History
from plugline.pipeline.plan import Plan, digest_of, goes_straight
from plugline.pipeline.remote import has_scheme, without_secret
from plugline.pipeline.report import Swap
from plugline.pipeline.split import SplitWork, letters_finding, row_names, writes_alone
from plugline.pipeline.streams import SinkFile, compressed_bytes, compresses_parts, compression_of
from plugline.records import Assembles, OpensSink, Part, Position, RowsRefused, Sink
from plugline.records.values import SlowRecord

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported where the output is of such a kind
    from plugline.pipeline.folders import PartFolder

AgainCall: TypeAlias = Callable[[Cut, Part, Mapping[str, str]], Part | None]

_COPIED_BYTES = 2**20  # at a time; shutil has the same loop, and half a bare interpreter's start of imports
MOST_TRACEBACKS = 20  # of a run: "full tracebacks for the first 20 distinct errors"


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
        repeats: bool = True,
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
            repeats: Whether what has been read can be read again, so that a run that stops can be gone on with.
        """
        self.follows = follows
        self._repeats = repeats
        self._history = History(
            plan, identity, resume=resume, ordered=ordered, follows=follows, takes_edits=takes_edits
        )
        self._plan = plan
        self._form = bound.writer
        self._ordered = ordered
        self._bound = bound
        self._alone = plan.part_suffix is not None or writes_alone(bound.writer)
        self._separator = compressed_bytes(bound.separator, plan.sink) if bound.separator and not self._alone else b""
        self._sink: Sink | None = None
        self._sink_parts = 0
        self._output: Aside | Straight | None = None
        self._folder: PartFolder | None = None  # the same, where the output is one
        self._letters: Aside | Straight | None = None
        self._waiting: dict[int, tuple[Cut, Part]] = {}
        self._ended = False
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
                if gathered and self.follows:
                    self._refuse_an_end()
                self._output = Gathered(sink) if gathered else Straight(sink)
            else:
                if self.follows:
                    self._refuse_an_end()
                output = self._output = Aside(sink, "part", in_place=self.follows)
                output.refuse_what_is_no_file()
                self._history.open(Aside(sink, "journal").aside)
                if not self._history.ending and not output.open(self.done.output_bytes):
                    raise self._history.lost(output.aside)
            self._probe()
        except ValueError as error:
            # A database says more than that a folder is missing.
            hint = f"plugline info {plan.writer.name} tells its settings" if hasattr(self._form, "open_sink") else None
            hint = "name a file: path in [sink] (--output)" if plan.sink == "-" else hint
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
        if self.follows:
            self._refuse_an_end()
        plan = self._plan
        if sink == "-":
            raise ValueError(f"standard output is a stream, and the format {plan.writer.name!r} writes none")
        self._history.open(os.path.join(plan.folder, f".plugline.{short_digest_of(os.fsencode(plan.sink))}.journal"))
        form = cast("OpensSink", self._form)
        self._sink, self._sink_parts = form.open_sink(sink, run=self._history.run_name, resume=self._history.goes_on)
        if self.done.written and not self._sink_parts:
            raise self._history.lost(without_secret(plan.sink))

    def _open_parts(self, sink: str, suffix: str) -> None:
        if hasattr(self._form, "open_sink"):
            message = f"the format {self._plan.writer.name!r} writes no files, and so no parts"
            place = self._plan.config.place(("sink", "parts"))
            raise ConfigurationError([Finding("C111", message, place, "leave out parts in [sink]")])
        if self.follows:
            self._refuse_an_end()
        from plugline.pipeline.folders import PartFolder

        folder = self._output = self._folder = PartFolder(sink, suffix)
        self._history.open(Aside(sink, "journal").aside)
        if not self._history.ending and not folder.open(self.done.output_bytes):
            raise self._history.lost(sink)

    def _open_letters(self, letters: str) -> None:
        aside = self._letters = Aside(letters, "letters", in_place=self.follows)
        if self.done.letters_bytes and not self._history.ending:
            try:
                if not aside.open(self.done.letters_bytes):
                    raise self._history.lost(aside.aside)
            except OSError as error:
                raise RunStopped(letters_finding(self._plan, error)) from error

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
            self._history.done = replace(self.done, columns=columns)

    def _edge(self, *, first: bool, last: bool) -> tuple[bytes, tuple[str, ...] | None]:
        """Return what a part without records is that begins the output, or ends it."""
        stream = BytesIO()
        writer = self._form.writer()
        writer.open(cast("BinaryIO", stream), first=first, columns=self.done.columns)
        columns = writer.columns
        writer.close(last=last)
        return stream.getvalue(), columns

    # ------------------------------------------------------------------------- part by part

    def add(self, cut: Cut, part: Part, again: AgainCall | None = None) -> None:
        """Take the next part.

        Args:
            again: Makes a part once more without rows that the sink refuses; ``None`` where it cannot.

        Raises:
            RunStopped: It could not be appended.
            BrokenPipeError: Whoever read standard output has gone.
        """
        index = cut.split.index
        if not self._history.has_content(index):
            part = self._written_part(cut, part, again)
            if not self._ordered and self._folder is None:
                self._append({"content": index, "output_bytes": self._output_bytes})
        self._waiting[index] = cut, replace(part, content=())
        while self.done.mark.index in self._waiting:
            self._settle(*self._waiting.pop(self.done.mark.index))

    def _written_part(self, cut: Cut, part: Part, again: AgainCall | None) -> Part:
        """Write what a part holds but for rows that the sink refuses. Returns the part without these."""
        index = cut.split.index
        refused = self._history.refused.get(index, {})
        if refused and again is not None:
            part = again(cut, part, refused) or part
        while True:
            try:
                self._write_content(part)
            except RowsRefused as error:
                name = row_names(refused)
                named = {name(row): error.reasons.get(number) for number, row in enumerate(error.rows)}
                refused = {**refused, **{told: reason for told, reason in named.items() if reason is not None}}
                made = again(cut, part, refused) if again is not None else None
                if made is None:
                    raise self._stopped(error) from None
                # Before it is written: a run that goes on may find the part in the database, and not its dead letters.
                self._append({"refused": [index, refused]})
                self._sync()
                part = made
            else:
                self._history.refused.pop(index, None)
                return part

    def take_over(self, identity: Mapping[str, object], swaps: Sequence[Swap]) -> None:
        """Note that from here on the plugins are others.

        Args:
            identity: What must be the same from now on when the run is gone on with.

        Raises:
            RunStopped: It could not be noted.
        """
        told = [[one.step, one.generation, one.record] for one in swaps]
        entry: dict[str, object] = {"swaps": told, "identity": dict(identity)}
        self._append(entry)
        self._history.take(entry)

    def columns_are(self, columns: tuple[str, ...] | None) -> None:
        """Take the columns that the first part with records fixed, if it did."""
        self.needs_columns = False
        self._history.done = replace(self.done, columns=columns or self.done.columns)

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
                    before = compressed_bytes(self._head, self._plan.sink) if self._head and not self._alone else b""
                for pieces in _contents(part):
                    self._output.write([before, *pieces] if before else pieces)
                    before = b""
        except (BrokenPipeError, RowsRefused):
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
        self._append(entry)
        self._history.take(entry)
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
            return (0, 0) if cut.followed.begins else self._history.counted.get(cut.followed.key, (None, 0))
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
                self._letters = Straight(self._plan.located(self._plan.dead_letters))
            elif isinstance(self._letters, Aside) and not self._letters.bytes:
                self._letters.close()
                self._letters.open()
            self._letters.write([letters])
        except OSError as error:
            raise RunStopped(letters_finding(self._plan, error)) from error

    def _append(self, entry: Mapping[str, object]) -> None:
        try:
            self._history.append(entry)
            if self._history.sync_is_due():
                self._sync()
        except OSError as error:
            raise self._stopped(error) from error

    def _sync(self) -> None:
        for file in (self._output, self._letters):
            if file is not None:
                file.sync()
        self._history.mark_synced()

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
            if not self._history.ending:
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
        # From here on there is nothing to be done again, whatever has its place already.
        self._history.append({"ending": True})

    def _write_end(self) -> None:
        if self._alone or self._output is None:
            return
        if not self._output.bytes and not self.done.written:
            end, _ = self._edge(first=True, last=True)
        else:
            end, _ = self._edge(first=False, last=True)
        if end or (not self._output.bytes and compresses_parts(self._plan.sink)):
            # Of nothing, too: a file without a byte is none that a program for .gz and the like would take.
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
        if not isinstance(self._output, Aside):
            output = cast("Gathered", self._output)
            output.assemble(self._put_together)
            output.put_in_place()
            self._output = None
            return
        self._output.close()
        if not os.path.exists(self._output.aside):
            return  # it was made, and what it was made of removed
        with open(self._output.aside, "rb") as parts, SinkFile(self._plan.located(self._plan.sink)) as whole:
            self._put_together(parts, whole.stream)
            whole.commit()

    def _put_together(self, parts: BinaryIO, stream: BinaryIO) -> None:
        """Have the format put its parts together.

        Raises:
            OSError, ValueError: It could not, whatever it raised itself.
        """
        try:
            cast("Assembles", self._form).assemble(parts, stream, columns=self.done.columns)
        except (OSError, ValueError):
            raise
        except Exception as error:  # whatever a stranger's format raises
            raise ValueError(f"{type(error).__name__}: {error}") from error

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
    def done(self) -> Done:
        """What has been committed."""
        return self._history.done

    @property
    def places(self) -> Mapping[str, Followed]:
        """How far each file has been read, where files are followed."""
        return self._history.places

    @property
    def edited(self) -> frozenset[int]:
        """The numbers of the steps whose plugins were edited since the run began that is gone on with."""
        return self._history.edited

    @property
    def resumed_parts(self) -> int:
        """How many parts were there when the run was gone on with."""
        return self._history.resumed_parts

    @property
    def parts_written(self) -> int | None:
        """How many files the output has, ``None`` where it is not one in parts."""
        return None if self._folder is None else self._folder.count

    @property
    def all_done(self) -> bool:
        """Whether the run that is gone on with had come to its end, and something has not got its final name."""
        return self._history.ending

    @property
    def resumable(self) -> bool:
        """Whether a run that stops now can be gone on with."""
        some = self.done.parts > 0 or self.follows
        return self._history.is_kept and some and self._repeats and not self._ended

    @property
    def in_place(self) -> bool:
        """Whether a file has its final name while parts are appended to it, so that an output is seen without its dead letters."""
        return self.follows and isinstance(self._output, Aside)

    @property
    def adds(self) -> bool:
        """Whether what was written is where it belongs, before the run comes to its end."""
        return getattr(self._sink, "adds", False) and self.done.written > 0

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
            self._sync()
        except OSError as error:
            raise self._stopped(error) from error

    def forget(self) -> None:
        """Leave nothing of the run, though it did not come to its end; what follows files has it in its place."""
        self._ended = not self.follows

    def __exit__(self, *_: object) -> None:
        self._close(keep=self.resumable)

    def _close(self, *, keep: bool) -> None:
        for file in (self._output, self._letters):
            if file is not None:
                (file.close if keep else file.remove)()
        self._history.close(remove=not keep)
        if self._sink is not None:
            # After the journal: what it takes away tells a run that goes on by that journal that all is done.
            with suppress(OSError, ValueError):
                self._sink.close()

    def _stopped(self, error: OSError | ValueError) -> RunStopped:
        said, told = apart(reason_of(error))
        way = told or "see to what the message says"
        if getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            way = "make room, or write to another file"
        elif isinstance(error, FileNotFoundError) and not has_scheme(self._plan.sink):
            way = "leave it alone until the run has ended"
        hint = f"{way}; {self.done.written:,} record{'' if self.done.written == 1 else 's'} had been written"
        if not self.follows and not self.adds and not goes_straight(self._plan.located(self._plan.sink)):
            hint += " aside; what was in place before still is"
        place = Place(without_secret(self._plan.sink))
        return RunStopped(Finding("R102", f"cannot be written: {said}", place, hint))


def _contents(part: Part) -> Iterator[Sequence[bytes | memoryview]]:
    """Yield the pieces of a part, of one in a file no more at a time than is to be held: it may be of any size."""
    if part.path is None:
        yield part.content
        return
    with open(part.path, "rb") as file:
        while piece := file.read(_COPIED_BYTES):
            yield [piece]
