"""Files that grow, and folders where files arrive, to splits that never end.

What has been read of a file is known by the file itself (its device and inode) and not by its name, so that one that is
renamed is not read again. That it is still the same file is held by the bytes before the place where reading goes on.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from threading import Event
from zlib import crc32

from plugline.clock import monotonic_seconds
from plugline.descriptors import AT_ONCE, read_at
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.pipeline.cutting import ByteCuts, Cut, Followed, Mark, byte_cuts
from plugline.pipeline.plan import Plan
from plugline.pipeline.streams import compression_of, expand_source
from plugline.records import Format, Split

_MOST_BYTES = 2**20
_CHECKED_BYTES = 256  # before the place where reading goes on
_POLLED_SECONDS = 0.2
_WAITED_SECONDS = 0.05  # at a time, so that what is being done meanwhile is not kept waiting
_SETTLED_SECONDS = 2.0  # a file that has not changed for so long has arrived
_MOST_OPEN = (
    128  # files at a time: a process may have 256 on macOS and 1,024 on most systems, of which others take some
)
_KEPT_SECONDS = 5.0  # a file that is gone from its place is read for so long: who writes it learns of that later

TellCall = Callable[[Finding], None]


@dataclass(slots=True)
class _File:
    """A file that is being followed.

    Attributes:
        descriptor: Open as long as it is followed: what is renamed or removed can still be read to its end. ``None`` for most of
            many files, which are opened where there is something to read.
        path: Its name when it was last seen.
        stamp: Its size and the time of its last change then.
        offset: How much of it has been cut.
        head: Its header.
        size: How large it was when it was last looked at.
        changed_seconds: When it last was another size, or was in its place.
        gone: Whether it is not in its place any more.
        closed_at: Its stamp when it was closed.
    """

    descriptor: int | None
    path: str
    stamp: tuple[int, int]
    offset: int = 0
    head: bytes | None = None
    size: int = -1
    changed_seconds: float = field(default_factory=monotonic_seconds)
    gone: bool = False
    closed_at: tuple[int, int] | None = None

    @property
    def open_descriptor(self) -> int:
        """The descriptor, while it has one."""
        assert self.descriptor is not None  # noqa: S101 - only asked then
        return self.descriptor


class Following:
    """The input of a run that goes on until it is told to end; see :class:`~plugline.pipeline.cutting.Input`.

    Args:
        plan: Names a file, a folder or a pattern.
        places: How far each file had been read by a run before.
        tell: Told of files that were rotated or cut off.
        ends: Asked now and then whether to end: then the splits do, and can be gone on with.
    """

    bytes_total: int | None = None

    def __init__(
        self, plan: Plan, form: Format, places: Mapping[str, Followed], *, tell: TellCall, ends: Callable[[], bool]
    ) -> None:
        self._plan = plan
        self._path = plan.located(plan.source)
        self._cuts = byte_cuts(form)
        self._places = dict(places)
        self._tell = tell
        self._ends = ends
        self._files: dict[str, _File] = {}
        self._open_files = 0
        self._alone = os.path.isfile(self._path)
        self._pause = Event()  # never set: only waited for
        self._looked_seconds = 0.0

    def identities(self) -> dict[str, tuple[int, int, int]]:
        """Nothing: that the input changes is what it is for."""
        return {}

    def check_unchanged(self) -> None:
        """It changes."""

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            self._close(file)
        self._files.clear()

    def _close(self, file: _File) -> None:
        descriptor, file.descriptor = file.descriptor, None
        if descriptor is not None:
            file.closed_at = file.stamp
            self._open_files -= 1
            os.close(descriptor)

    def cuts(self, mark: Mark | None = None) -> Iterator[Cut | None]:
        """Yield splits as there is something, and ``None`` while there is nothing."""
        index = (mark or Mark()).index
        while not self._ends():
            idle = True
            for split, followed in self._new():
                index += 1
                yield Cut(
                    split=replace(split, index=index - 1),
                    after=Mark(index=index),
                    bytes_read=0,
                    followed=followed,
                )
                idle = False
            if idle:
                yield None
                self._pause.wait(_WAITED_SECONDS)

    def _new(self) -> Iterator[tuple[Split, Followed]]:
        now = monotonic_seconds()
        if now - self._looked_seconds < _POLLED_SECONDS:
            return
        self._looked_seconds = now
        seen = self._look()
        for key in [*self._files]:
            file = self._files[key]
            if file.gone != (key not in seen):
                file.gone, file.changed_seconds = key not in seen, now
            left = file.gone and now - file.changed_seconds > _KEPT_SECONDS
            if self._is_open(key, file):
                yield from self._read(key, file, left=left)
                if left and not os.fstat(file.open_descriptor).st_nlink:
                    self._places.pop(key, None)  # another file may get its number
                if left or (self._open_files > _MOST_OPEN and not file.gone):
                    self._close(file)
            if left:
                del self._files[key]

    def _is_open(self, key: str, file: _File) -> bool:
        """Open a file again that was closed, if there may be more in it than was read; whether it is open."""
        if file.descriptor is not None:
            return True
        if file.gone or (file.stamp == file.closed_at and file.offset >= file.size):
            return False
        try:
            descriptor = os.open(file.path, AT_ONCE)
        except OSError:
            return False
        if _key_of(os.fstat(descriptor)) != key:
            os.close(descriptor)
            return False
        file.descriptor = descriptor
        self._open_files += 1
        return True

    def _look(self) -> set[str]:
        """Open what is new; return the files that are there."""
        try:
            paths = expand_source(self._path, "")
        except (OSError, ValueError):
            paths = []  # nothing has arrived yet, or a file is between its old and its new name
        seen: set[str] = set()
        for path in paths:
            key = self._open(path)
            if key is not None:
                seen.add(key)
        return seen

    def _open(self, path: str) -> str | None:
        try:
            found = os.stat(path)
            key = _key_of(found)
            if key in self._files:
                file = self._files[key]
                file.path, file.stamp = path, _stamp_of(found)
                return key
            if not stat.S_ISREG(found.st_mode):
                return None
            descriptor = os.open(path, AT_ONCE) if self._open_files < _MOST_OPEN else None
        except OSError:
            return None  # gone again: it was not ours to read
        if descriptor is not None:
            self._open_files += 1
            found = os.fstat(descriptor)
            key = _key_of(found)
        known = self._places.get(key)
        if self._alone and key not in self._files:
            if self._files:
                self._say("R113", "was rotated: what is left of the old file is read, then the new one", path)
            else:
                self._take_up_rotated(path, key)
        self._files[key] = _File(descriptor, path, _stamp_of(found), known.offset if known is not None else 0)
        return key

    def _take_up_rotated(self, path: str, key: str) -> None:
        """Open what had the name of a file when it was followed last, and was given another one meanwhile."""
        before = {one.key: one for one in self._places.values() if one.path == path and one.key != key}
        if not before:
            return
        latest = next(reversed(before))
        is_found = key in self._places  # then nothing has happened since
        for entry in _entries_beside(path):
            place = before.get(_key_of_entry(entry))
            if place is None or place.key in self._files:  # which may have several names
                continue
            if not place.offset and (not entry.name.startswith(os.path.basename(path)) or compression_of(entry.name)):
                continue  # nothing of it was read that could be compared, and its number may be another file's by now
            try:
                descriptor = os.open(entry.path, AT_ONCE)
            except OSError:
                continue  # gone again
            is_same = _check_before(descriptor, place.offset) == place.check
            is_found = is_found or (is_same and place.key == latest)
            if is_same and os.fstat(descriptor).st_size > place.offset:
                self._say("R113", f"was rotated: what is left of {entry.name!r} is read, then the new one", path)
                self._files[place.key] = _File(
                    descriptor, place.path, _stamp_of(os.fstat(descriptor)), place.offset, gone=True
                )
                self._open_files += 1
            else:
                os.close(descriptor)
        if not is_found:
            self._say(
                "R113",
                f"was rotated while nothing followed it, and the old file is not beside it any more: what it had after "
                f"{before[latest].offset:,} bytes is not read",
                path,
            )

    def _read(self, key: str, file: _File, *, left: bool) -> Iterator[tuple[Split, Followed]]:
        """Yield what a file has more than it had; with ``left`` it is not written any more."""
        self._check(key, file)
        size = os.fstat(file.open_descriptor).st_size
        now = monotonic_seconds()
        if size != file.size:
            file.size, file.changed_seconds = size, now
        if self._alone and not size and key not in self._places:
            # Noted, so that it is known should it be written to and rotated while nothing follows it.
            yield self._taken(key, file, 0, Split(index=0, path=file.path, content=b""))
            return
        arrived = left or (not self._alone and now - file.changed_seconds > _SETTLED_SECONDS)
        if self._cuts is None or compression_of(file.path):
            if arrived and not file.gone and file.offset < size:
                yield self._taken(key, file, size, Split(index=0, path=file.path))
            return
        while file.offset < size:
            content = self._content(file, self._cuts, size, whole=arrived)
            if not content:
                return
            head = file.head or b""
            end = file.offset + len(content)
            split = Split(
                index=0, path=file.path, start=file.offset, end=end, content=content, head=head if file.offset else b""
            )
            yield self._taken(key, file, end, split)

    def _content(self, file: _File, cuts: ByteCuts, size: int, *, whole: bool) -> bytes:
        """Return whole records; with ``whole`` also what is left at the end."""
        if cuts.header_end is not None and file.head is None:
            beginning = read_at(file.open_descriptor, _MOST_BYTES, 0)
            end = cuts.header_end(beginning)
            if end < 0 and not whole:
                return b""
            file.head = beginning[: max(end, 0)]
        wanted = _MOST_BYTES
        least = len(file.head or b"") if not file.offset else 0
        while True:
            data = read_at(file.open_descriptor, min(wanted, size - file.offset), file.offset)
            end = cuts.end_of(data, len(data))
            if end and end >= least:
                return data[:end]
            if wanted >= size - file.offset:
                return data if whole else b""
            wanted *= 2

    def _taken(self, key: str, file: _File, offset: int, split: Split) -> tuple[Split, Followed]:
        begins = file.offset == 0
        file.offset = offset
        followed = Followed(
            key=key, path=file.path, offset=offset, check=_check_before(file.open_descriptor, offset), begins=begins
        )
        self._places.pop(key, None)  # the one that was read last is the last
        self._places[key] = followed
        return split, followed

    def _check(self, key: str, file: _File) -> None:
        """Begin anew with a file that is not what was read of it."""
        known = self._places.get(key)
        if known is None or not file.offset:
            return
        size = os.fstat(file.open_descriptor).st_size
        if size < file.offset:
            self._say(
                "R114",
                f"was cut off, {file.offset:,} bytes of it had been read: it is read from its beginning",
                file.path,
            )
        elif _check_before(file.open_descriptor, file.offset) != known.check:
            self._say("R114", "holds something else than what was read of it: it is read from its beginning", file.path)
        else:
            return
        file.offset, file.head = 0, None

    def _say(self, code: str, message: str, path: str) -> None:
        self._tell(Finding(code, message, Place(path)))


class Replanning:
    """Makes another plan when a plugin of the plan was edited: for :func:`~plugline.pipeline.run.follow_plan`.

    What cannot be planned is told once for each edit, and changes nothing.

    Args:
        tell: Told what is wrong with what was edited.
    """

    def __init__(self, make: Callable[[], Plan], tell: TellCall) -> None:
        self._make = make
        self._tell = tell
        self._seen: dict[str, tuple[int, int, int]] | None = None
        self._looked_seconds = 0.0

    def __call__(self, plan: Plan) -> Plan | None:
        """Return another plan, ``None`` where nothing was edited."""
        now = monotonic_seconds()
        if now - self._looked_seconds < _POLLED_SECONDS:
            return None
        self._looked_seconds = now
        seen, before = _stamps(plan), self._seen
        self._seen = seen
        # The first time what was read when the plan was made tells whether something was edited since.
        if seen == before or (before is None and _is_as_read(plan)):
            return None
        try:
            made = self._make()
        except ConfigurationError as error:
            for finding in error.findings:
                self._tell(finding)
            return None
        if made.folders == plan.folders:
            return None
        steps = [
            replace(new, generation=old.generation + (new.use.code != old.use.code))
            for new, old in zip(made.steps, plan.steps, strict=True)
        ]
        return replace(made, steps=tuple(steps))


def _is_as_read(plan: Plan) -> bool:
    for folder in plan.folders:
        for name, content in folder.files.items():
            try:
                with open(os.path.join(plan.located(folder.shown), name), "rb") as file:
                    if file.read() != content:
                        return False
            except OSError:
                return False
    return True


def _stamps(plan: Plan) -> dict[str, tuple[int, int, int]]:
    stamps = {}
    for folder in plan.folders:
        for name in folder.files:
            path = os.path.join(plan.located(folder.shown), name)
            try:
                found = os.stat(path)
            except OSError:
                continue  # an editor is between taking the old file away and putting the new one there
            stamps[path] = (found.st_mtime_ns, found.st_size, found.st_ino)
    return stamps


def _entries_beside(path: str) -> "list[os.DirEntry[str]]":
    """Return what is in the folder of a file; nothing where that may not be looked at, though what is in it may be read."""
    try:
        with os.scandir(os.path.dirname(path) or ".") as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _key_of_entry(entry: "os.DirEntry[str]") -> str:
    try:
        found = os.stat(entry.path)  # what an entry itself tells has no number on Windows
    except OSError:
        return ""
    return _key_of(found) if stat.S_ISREG(found.st_mode) else ""


def _key_of(found: os.stat_result) -> str:
    return f"{found.st_dev}:{found.st_ino}"


def _stamp_of(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _check_before(descriptor: int, offset: int) -> int:
    begin = max(0, offset - _CHECKED_BYTES)
    return crc32(read_at(descriptor, offset - begin, begin))
