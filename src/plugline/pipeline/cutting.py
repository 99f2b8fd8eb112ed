"""The files of a plan to splits: cut from anywhere, cut as they are read, or left whole.

Where the cuts are depends on the input alone, and a piece on where the one before it ends: a run that goes on in
the middle finds the same pieces as one that began at the beginning.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from math import inf
from typing import BinaryIO, TypeAlias, cast

from plugline.blame import users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.descriptors import READING, read_at
from plugline.errors import RunStopped
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.pipeline.plan import Plan
from plugline.pipeline.remote import has_scheme, identity_of_address, without_secret
from plugline.pipeline.split import cuts_pieces, limit_records, unreadable
from plugline.pipeline.streams import bytes_read, open_source, plain_file, size_of
from plugline.records import CutsAfterHeader, CutsBytes, CutsPieces, Format, OpensSource, Position, RawBatch, Split

# Of larger ones each process holds more, smaller ones cost more messages.
_MOST_BYTES = 2**20
_LEAST_BYTES = 256 * 1024
# What a split costs where the run is driven does not depend on its size: so an input of many terabytes gets larger ones.
_MOST_SPLITS = 100_000  # until that, a split has the size above
_MOST_LOOKED_FOR = 1_000  # inputs, by each worker before the first record
_LARGEST_BYTES = 32 * 2**20  # what it becomes is still held in memory, as a rule
_SLACK_BYTES = 16 * 1024  # more than most records are long
_FEWEST_SPLITS = 16  # of a file, so that several processes have something to do

_SEARCHED_BYTES = 64 * 1024
_MOST_LIMITS = 2  # that much of a record that is too long is held to find its end, where that takes parsing
_FEWEST_RECORDS = 2000  # of a split that a reader cuts
_IDLE_SECONDS = 0.05  # a pipe that has nothing for so long hands on what it has
_WAITED_SECONDS = 0.25  # so does one that always has a little more: a split is worth no more waiting

PlaceCall: TypeAlias = Callable[[Position], Position]


@frozen(kw_only=True)
class Mark:
    """Where the next split begins.

    Attributes:
        file: The number of its file in the plan.
        start: A byte of the decompressed file, a record of it, or in the units of a format that cuts pieces.
    """

    index: int = 0
    file: int = 0
    start: int = 0


@frozen(kw_only=True)
class Followed:
    """How far a file has been read that is being followed.

    Attributes:
        key: What it is known by, whatever its name.
        offset: How much of it has been read.
        check: The checksum of some bytes before that.
        begins: Whether this was its beginning: what is counted of it begins anew.
    """

    key: str
    path: str
    offset: int
    check: int
    begins: bool = False


@frozen(kw_only=True)
class Cut:
    """A split, and what the process that made it knows besides.

    Attributes:
        after: Where the next one begins.
        bytes_read: How much of the input there is before ``after``, as it is on disk.
        position: Says where a record of the split stands in its file; ``None`` where counting on from the splits before
            it tells.
        followed: How far its file has been read, where files are followed.
    """

    split: Split
    after: Mark
    bytes_read: int
    position: PlaceCall | None = None
    followed: Followed | None = None


@frozen()
class _Identity:
    """What tells that a file is still the one that it was."""

    file: str
    inode: int
    size: int
    modified_ns: int


class Input:
    """The input of one run.

    Args:
        streaming: Whether what cannot be read from the middle is to be cut too, as it is read. Otherwise it is one split.
    """

    def __init__(self, plan: Plan, form: Format, *, streaming: bool) -> None:
        self._plan = plan
        self._form = form
        self._streaming = streaming
        self._paths = [split.path for split in plan.splits]
        self._identities: dict[str, _Identity] = {}
        sizes = [size_of(plan.located(path)) for path in self._paths]
        self.bytes_total = None if None in sizes else sum(size or 0 for size in sizes)
        by_size = min(_LARGEST_BYTES, max(_MOST_BYTES, sum(size or 0 for size in sizes) // _MOST_SPLITS))
        self._split_bytes = plan.config.run.split_bytes or by_size

    def cuts(self, mark: Mark | None = None) -> Iterator[Cut | None]:
        """Yield the splits from ``mark`` on, each when it is asked for; of every file at least one.

        ``None`` comes where a pipe has nothing for the moment, and what is being done should not wait for it.
        What cannot be read or cut is a split that says so, and the last: so the run stops when all before it is done.
        """
        mark = mark or Mark()
        before = sum(size_of(self._plan.located(path)) or 0 for path in self._paths[: mark.file])
        index, start = mark.index, mark.start
        for number in range(mark.file, len(self._paths)):
            path = self._paths[number]
            for piece in self._guarded(path, start):
                if piece is None:
                    yield None
                    continue
                split = replace(piece.split, index=index, path=path)
                index += 1
                after = Mark(index=index, file=number, start=piece.after)
                yield Cut(split=split, after=after, bytes_read=before + piece.bytes_read, position=piece.position)
                if split.broken is not None:
                    return
            start = 0
            before += size_of(self._plan.located(path)) or 0

    def identities(self) -> dict[str, tuple[int, int, int]]:
        """Return what tells of each file whether it is still the same; of those that are no files, nothing."""
        found: dict[str, tuple[int, int, int]] = {}
        for path in self._paths:
            self._identify(path)
            if has_scheme(path) and (told := identity_of_address(path)) is not None:
                found[without_secret(path)] = told
        for path, identity in self._identities.items():
            found[path] = identity.inode, identity.size, identity.modified_ns
        return found

    def files_of_workers(self) -> list[str]:
        """Return the files that are read where splits are run, some of all where there are many.

        Others are read here, and travel as bytes; addresses and databases are each worker's own affair.
        """
        some = self._paths[:: 1 + len(self._paths) // _MOST_LOOKED_FOR]
        if hasattr(self._form, "open_source"):
            return []
        singly = bool(byte_cuts(self._form)) or getattr(self._form, "decodes_singly", False)
        own = [path for path in some if path != "-" and not has_scheme(path)]
        read_here = self._streaming and singly and not cuts_pieces(self._form)
        return [path for path in own if not read_here or plain_file(self._plan.located(path)) is not None]

    def check_unchanged(self) -> None:
        """See whether every file is still the one that was cut; one that has only grown is.

        Raises:
            RunStopped: One is not: what was read of it may be half of each.
        """
        for path, was in self._identities.items():
            try:
                found = os.stat(was.file)
            except OSError:
                continue  # vanished when all of it had been read
            grown = found.st_size > was.size
            if (
                found.st_ino != was.inode
                or found.st_size < was.size
                or (found.st_mtime_ns != was.modified_ns and not grown)
            ):
                message = "changed while it was read"
                hint = "run it again, on a file that nobody writes; for one that grows, --follow"
                raise RunStopped(Finding("R111", message, Place(without_secret(path)), hint))

    def _identify(self, path: str) -> None:
        file = plain_file(self._plan.located(path))
        if file is not None and path not in self._identities:
            found = os.stat(file)
            self._identities[path] = _Identity(file, found.st_ino, found.st_size, found.st_mtime_ns)

    def _guarded(self, path: str, start: int) -> Iterator["_Piece | None"]:
        try:
            yield from self._pieces(path, start)
        except BaseException as error:
            if users_own_interrupt(error) or isinstance(error, GeneratorExit):
                raise
            yield _Piece(Split(index=0, path=path, broken=unreadable(error, path)), start, 0)

    def _pieces(self, path: str, start: int) -> Iterator["_Piece | None"]:
        located = self._plan.located(path)
        opens = hasattr(self._form, "open_source")
        file = None if opens else plain_file(located)
        self._identify(path)
        if cuts_pieces(self._form) and (opens or file is not None):
            return self._by_format(located, start)
        cuts = byte_cuts(self._form)
        if file is not None and cuts is not None:
            return _from_anywhere(file, cuts, start, self._plan.max_record_bytes, self._split_bytes)
        if opens or not self._streaming or not (cuts or getattr(self._form, "decodes_singly", False)):
            # What comes after it is marked by 1: it is done or not.
            return iter([_Piece(Split(index=0, path=path), 1, size_of(located) or 0)][: 1 - start])
        if cuts is not None:
            return _as_read(located, cuts, start, self._plan.max_record_bytes, self._split_bytes)
        return self._by_reader(located, start)

    def _by_format(self, path: str, start: int) -> Iterator["_Piece"]:
        form = cast("CutsPieces", self._form)
        with ExitStack() as stack:
            if hasattr(self._form, "open_source"):
                stream = cast("BinaryIO", stack.enter_context(cast("OpensSource", self._form).open_source(path)))
            else:
                stream = stack.enter_context(open_source(path))
            pieces = [*form.pieces(stream, self._split_bytes)]
        size = size_of(path) or 0
        last = pieces[-1][1] if pieces else 1
        for begin, end in pieces or [(0, 0)]:
            if begin >= start:
                yield _Piece(Split(index=0, path=path, start=begin, end=end), end, size * end // (last or 1))

    def _by_reader(self, path: str, start: int) -> Iterator["_Piece"]:
        """Cut what only the format's own reader can cut; ``start`` counts records."""
        row = 0
        group: list[RawBatch] = []
        held = 0
        with open_source(path) as stream:
            reader = self._form.reader()
            limit_records(reader, self._plan)
            batches = iter(reader.batches(stream))
            fault: Exception | None = None
            while fault is None:
                try:
                    batch = next(batches, None)
                except Exception as error:  # noqa: BLE001 - a stranger's reader; what it read before goes first
                    batch, fault = None, error
                if batch is None:
                    break
                if row < start:
                    row += len(batch.raws)
                    continue
                group.append(batch)
                held += len(batch.raws)
                if held >= _FEWEST_RECORDS:
                    yield _group_piece(path, group, row, bytes_read(stream))
                    row += held
                    group, held = [], 0
            if held or (row == 0 and fault is None):
                yield _group_piece(path, group, row, bytes_read(stream))
            if fault is not None:
                raise fault


@frozen()
class _Piece:
    """A split of one file that has no number yet, and where the next one begins in the file."""

    split: Split
    after: int
    bytes_read: int
    position: PlaceCall | None = None


@frozen()
class ByteCuts:
    """How a format's bytes are cut.

    Attributes:
        end_of: How much of the first so many of some bytes are whole records.
        delimiter: What ends each record and stands nowhere else; empty where there is no such thing.
        header_end: How much of the beginning of a file is a header.
    """

    end_of: Callable[[bytes, int], int]
    delimiter: bytes
    header_end: Callable[[bytes], int] | None


def byte_cuts(form: Format) -> ByteCuts | None:
    """Return how a format's bytes are cut, ``None`` where they cannot be."""
    header = cast("CutsAfterHeader", form).header_end if hasattr(form, "header_end") else None
    delimiter: bytes = getattr(form, "record_delimiter", b"")
    if delimiter:

        def end_of(data: bytes, count: int) -> int:
            found = data.rfind(delimiter, 0, count)
            return found + len(delimiter) if found >= 0 else 0

        return ByteCuts(end_of, delimiter, header)
    if hasattr(form, "record_end"):
        record_end = cast("CutsBytes", form).record_end
        return ByteCuts(lambda data, count: record_end(data[:count]), b"", header)
    return None


def _wanted_bytes(size: int, most: int) -> int:
    # A piece ends where the record does that is in hand then: with this much less, what a format reads at a time still is a
    # whole part of it, and no reading is for one record.
    wanted = min(most, max(_LEAST_BYTES, size // _FEWEST_SPLITS))
    return wanted - min(_SLACK_BYTES, wanted // 4)


def _from_anywhere(file: str, cuts: ByteCuts, start: int, limit: int, most: int) -> Iterator[_Piece]:
    """Cut a file of bytes. Only what is around the cuts is read, where the format has a delimiter."""
    descriptor = os.open(file, READING)
    try:
        size = os.fstat(descriptor).st_size
        head = _header(descriptor, cuts, size)
        wanted = _wanted_bytes(size, most)
        while True:
            # The header is in the first piece, whole.
            least = wanted if start else max(wanted, len(head))
            begin, end = _next_range(descriptor, cuts, start, size, least, limit)
            if begin > start:
                yield _range_piece(start, begin, head)
            if end > begin:
                yield _range_piece(begin, end, head, too_long=end - begin > limit)
            elif start == 0 and size == 0:
                yield _range_piece(0, 0, b"")
            start = end
            if start >= size:
                return
    finally:
        os.close(descriptor)


def _range_piece(start: int, end: int, head: bytes, *, too_long: bool = False) -> _Piece:
    # The first piece begins with the header itself.
    split = Split(index=0, path="", start=start, end=end, head=head if start else b"", too_long=too_long)
    return _Piece(split, end, end)


def _header(descriptor: int, cuts: ByteCuts, size: int) -> bytes:
    if cuts.header_end is None:
        return b""
    wanted = _SEARCHED_BYTES
    while True:
        data = read_at(descriptor, min(wanted, size), 0)
        end = cuts.header_end(data)
        if end >= 0:
            return data[:end]
        if wanted >= size:
            return b""  # all of the file is in the first piece then
        wanted *= 2


def _next_range(descriptor: int, cuts: ByteCuts, start: int, size: int, wanted: int, limit: int) -> tuple[int, int]:
    """Return where the next piece ends, and where the record begins that is too long, or ``start``."""
    if start + wanted >= size:
        end = size
    elif cuts.delimiter:
        end = _after(descriptor, cuts.delimiter, start + wanted - len(cuts.delimiter), size)
    else:
        return start, _record_end(descriptor, cuts, start, size, wanted, limit)
    if end - start <= limit or not cuts.delimiter:
        return start, end
    before = read_at(descriptor, wanted, start).rfind(cuts.delimiter)
    begin = start + before + len(cuts.delimiter) if before >= 0 else start
    return begin, end


def _after(descriptor: int, delimiter: bytes, at: int, size: int) -> int:
    while at < size:
        data = read_at(descriptor, _SEARCHED_BYTES, at)
        found = data.find(delimiter)
        if found >= 0:
            return at + found + len(delimiter)
        if len(data) < len(delimiter):
            break
        at += len(data) - len(delimiter) + 1
    return size


def _record_end(descriptor: int, cuts: ByteCuts, start: int, size: int, wanted: int, limit: int) -> int:
    before = 0
    while True:
        data = read_at(descriptor, wanted, start)
        end = cuts.end_of(data, len(data))
        if end > limit:
            end = _first_end(data, cuts, before, end)
        if end > 0:
            return start + end
        if start + wanted >= size:
            return size
        if wanted > _MOST_LIMITS * limit:
            raise ValueError(_too_long_message(start, wanted, limit))
        before = wanted
        wanted *= 2


def _first_end(data: bytes, cuts: ByteCuts, low: int, high: int) -> int:
    """Return where the first record ends: not in the first ``low`` bytes, but in the first ``high``.

    A record that is longer than records may be is set aside alone, and not with those behind it.
    """
    while high - low > 1:
        middle = (low + high) // 2
        end = cuts.end_of(data, middle)
        low, high = (low, end) if end else (middle, high)
    return high


def _too_long_message(start: int, size: int, limit: int) -> str:
    return f"no record ends in the {size:,} bytes from byte {start:,} on, at most {limit:,} may be (max_record_bytes in [run])"


def _as_read(path: str, cuts: ByteCuts, start: int, limit: int, wanted: int) -> Iterator[_Piece | None]:
    """Cut a stream of bytes as it is read; what is before ``start`` is read and left out."""
    with open_source(path) as stream:
        yield from cut_stream(stream, cuts, start, limit, wanted)


def cut_stream(stream: BinaryIO, cuts: ByteCuts, start: int, limit: int, wanted: int) -> Iterator[_Piece | None]:
    """Cut what a stream holds; what is before ``start`` is read and left out."""
    window = _Ahead(stream)
    head = _stream_header(window, cuts)
    window.skip(start)
    while True:
        # Not where something is there already: it may be a whole record, and nothing may come after it for long.
        while not window.held and not window.ready():
            yield None
        # The header is in the first piece, whole.
        end = _end_in(window, cuts, limit, wanted if window.at else max(wanted, len(head)))
        if window.fault is not None and not end:
            raise window.fault  # half a record may be left, which nobody wrote like this
        if end < 0:
            yield _too_long_piece(window, cuts, limit)
        elif end or window.at == 0:
            first = window.at
            content = window.take(end)
            # The first piece begins with the header itself.
            split = Split(index=0, path="", start=first, end=window.at, head=head if first else b"", content=content)
            yield _Piece(split, window.at, bytes_read(stream))
            if window.trickles:
                yield None  # what is done of the pieces before is wanted before the next
        while not window.ready():
            yield None
        if not window.more():
            if window.fault is not None:
                raise window.fault
            return


def _end_in(window: "_Ahead", cuts: ByteCuts, limit: int, wanted: int) -> int:
    """Return how much to take; -1 where a record begins that is longer than records may be."""
    wanted = min(wanted, limit)
    while True:
        window.read_ahead(wanted + 1)
        end = window.last_end(cuts.delimiter, wanted)
        if end:
            return end
        data = window.joined()
        if window.ended and window.fault is None and len(data) <= wanted:
            return len(data)
        # Where it is cut depends on where the piece begins, and not on how the stream was read.
        end = cuts.end_of(data, wanted)
        if end:
            return end
        if wanted == limit < len(data):
            return -1
        if len(data) > wanted:
            wanted = min(2 * wanted, limit)
        elif window.ended or not window.ready():
            return 0


def _too_long_piece(window: "_Ahead", cuts: ByteCuts, limit: int) -> _Piece:
    first = window.at
    begin = window.fill(1)[:_SEARCHED_BYTES]
    if cuts.delimiter:
        window.skip_past(cuts.delimiter)
    else:
        window.take(_end_beyond(window, cuts, limit))
    split = Split(index=0, path="", start=first, end=window.at, content=begin, too_long=True)
    return _Piece(split, window.at, bytes_read(window.stream))


def _end_beyond(window: "_Ahead", cuts: ByteCuts, limit: int) -> int:
    """Return where a record ends that is longer than records may be, and that no bytes end of which it is known."""
    before = limit
    while True:
        data = window.fill(2 * before)
        end = cuts.end_of(data, len(data))
        if end:
            return _first_end(data, cuts, before, end)
        if window.ended and window.fault is None:
            return len(data)
        if window.fault is not None:
            raise window.fault
        if before > _MOST_LIMITS * limit:
            raise ValueError(_too_long_message(window.at, window.held, limit))
        before = len(data)


def _stream_header(window: "_Ahead", cuts: ByteCuts) -> bytes:
    if cuts.header_end is None:
        return b""
    wanted = _SEARCHED_BYTES
    while True:
        data = window.fill(wanted)
        end = cuts.header_end(data)
        if end >= 0 or window.ended:
            return data[: max(end, 0)]
        wanted *= 2


class _Ahead:
    """A stream that can be looked at before it is taken.

    Attributes:
        at: The byte of the stream that comes next.
        held: How many bytes are there that have not been taken.
        ended: Whether nothing comes after these.
        fault: What ended it before its end.
        trickles: Whether it was read for as long as is waited, and had more all the time.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream = stream
        self.at = 0
        self.held = 0
        self.ended = False
        self.fault: OSError | None = None
        self.trickles = False
        self._pieces: list[bytes] = []
        # read1 hands on what a pipe has; read would wait for all of it.
        self._read = cast("Callable[[int], bytes]", getattr(stream, "read1", stream.read))
        self._live = _live_descriptor(stream)

    def fill(self, wanted: int) -> bytes:
        """Return what is there once it is ``wanted`` bytes or all; less where a pipe has no more for the moment."""
        self.read_ahead(wanted)
        return self.joined()

    def joined(self) -> bytes:
        if len(self._pieces) != 1:
            self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def last_end(self, delimiter: bytes, count: int) -> int:
        """Return where the last delimiter of the first ``count`` bytes ends; 0 where that takes more than what was read last.

        What is there is not joined for that.
        """
        if len(delimiter) != 1 or self.held <= count:
            return 0
        last = self._pieces[-1]
        before = self.held - len(last)
        found = last.rfind(delimiter, 0, count - before) if count > before else -1
        return before + found + 1 if found >= 0 else 0

    def read_ahead(self, wanted: int) -> None:
        """Read until there are ``wanted`` bytes, or all, or a pipe has no more for the moment or takes too long."""
        end_seconds = monotonic_seconds() + _WAITED_SECONDS if self._live is not None else inf
        self.trickles = False
        while self.held < wanted and not self.ended:
            if self.held:
                self.trickles = monotonic_seconds() > end_seconds
                if self.trickles or not self.ready():
                    break
            try:
                data = self._read(_LEAST_BYTES)
            except OSError as error:
                # What came before it is whole as far as it goes, and is taken first.
                data, self.fault = b"", error
            self.ended = not data
            self._pieces.append(data)
            self.held += len(data)

    def ready(self) -> bool:
        """Whether reading would not wait: there is something, or the end, or it is no pipe. Waits a moment to find out."""
        if self.ended or self._live is None:
            return True
        from select import select  # for pipes only

        return bool(select([self._live], [], [], _IDLE_SECONDS)[0])

    def more(self) -> bool:
        """Whether there is anything left."""
        return bool(self.fill(1))

    def take(self, count: int) -> bytes:
        self.held -= count
        self.at += count
        *pieces, last = self._pieces
        cut = len(last) - self.held
        if cut < 0:
            last = b"".join(self._pieces)
            pieces, cut = [], count
        self._pieces = [last[cut:]]
        if not pieces and cut == len(last):
            return last
        return b"".join([*pieces, memoryview(last)[:cut]])

    def skip(self, to: int) -> None:
        """Leave out what comes before byte ``to``.

        Raises:
            ValueError: The stream ends before.
        """
        while self.at < to:
            data = self.fill(1)
            if not data:
                raise ValueError(f"it ends after {self.at:,} bytes; it was longer when the run began")
            self.take(min(len(data), to - self.at))

    def skip_past(self, delimiter: bytes) -> None:
        """Leave out all up to the next delimiter, and that."""
        while True:
            data = self.fill(max(len(delimiter), 1))
            found = data.find(delimiter)
            if found >= 0:
                self.take(found + len(delimiter))
                return
            if self.ended:
                self.take(len(data))
                return
            # A delimiter may begin in what is there.
            self.take(len(data) - len(delimiter) + 1)
            self.fill(self.held + 1)


def _live_descriptor(stream: BinaryIO) -> int | None:
    """Return the descriptor of a stream that somebody may be writing right now: a pipe, a socket, a terminal."""
    if sys.platform == "win32":
        return None  # which cannot be asked whether there is more
    try:
        descriptor = stream.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError, AttributeError):
        return None
    if stat.S_ISFIFO(mode):
        _widen(descriptor)
        return descriptor
    return descriptor if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) else None


def _widen(pipe: int) -> None:
    """Let a pipe hold a whole split, where the system allows it: both ends are woken less often."""
    if sys.platform == "linux":
        import fcntl  # of Unix only

        with suppress(OSError):
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _MOST_BYTES)


def _group_piece(path: str, group: list[RawBatch], row: int, taken: int) -> _Piece:
    raws = tuple(raw for batch in group for raw in batch.raws)
    starts: list[int] = []
    total = 0
    for batch in group:
        starts.append(total)
        total += len(batch.raws)

    def position(there: Position) -> Position:
        index = (there.row or 1) - 1
        number = max(at for at, start in enumerate(starts) if start <= index)
        try:
            return group[number].position(index - starts[number])
        except Exception:  # noqa: BLE001 - where a record stood is worth less than the record
            return Position()

    split = Split(index=0, path=path, start=row, end=row + len(raws), raws=raws)
    return _Piece(split, row + len(raws), taken, position)
