"""Files to a reload each time that one of them was saved, however it is written."""

import os
import threading
from collections.abc import Iterable, Mapping
from typing import Protocol, Self

from plugline.clock import monotonic_seconds
from plugline.reloading.notify import Method, notifier_for

_QUIET_SECONDS = 0.1  # after which what is not right is taken for what is meant, and not for a save in its middle
_GONE_SECONDS = (
    0.5  # after which a file that is gone is taken for deleted, and not for one that is about to be replaced
)
_YOUNG_SECONDS = 3.0  # the coarsest timestamps that file systems have, and then some


class Watched(Protocol):
    """What is kept up to date: the files of a host."""

    def files(self) -> Mapping[str, bytes]:
        """Return the path and the content of each file that runs."""

    def take(self, paths: set[str], *, final: bool) -> bool:
        """Take the files with these paths as they are now.

        Args:
            paths: Those that are other than they were.
            final: Whether what is wrong with them is to be told; else it may be half a save.

        Returns:
            Whether all of them could be taken.
        """

    def look_again(self, gone: set[str]) -> None:
        """Look for files that are new, now that something has changed beside those that run.

        Args:
            gone: Files that ran and are not there any more.
        """

    def settle(self) -> None:
        """Tell what is wrong with files that were found, now that all is quiet."""


Signature = tuple[int, int, int, int]


class Watcher:
    """Keeps what is watched up to date, in a thread of its own, until it is stopped.

    Content tells what changed, and nothing else: size and time of a file only tell which ones to read. A file that is being
    written is read again until it stays as it is; what could not be taken is tried again with the next change, and
    told of once all is quiet.

    Args:
        watched: What is kept up to date.
        folders: Where its files are.
        beside: Other files, after whose change it is to look again.
        method: How changes are heard of: ``"inotify"``, ``"watchfiles"`` or ``"polling"``; by default the best that
            there is.
        poll_seconds: How often all files are looked at, besides.

    Raises:
        ValueError: There is no such method here.
    """

    def __init__(
        self,
        watched: Watched,
        folders: Iterable[str],
        beside: Iterable[str] = (),
        *,
        method: Method | None = None,
        poll_seconds: float = 0.5,
    ) -> None:
        self._watched = watched
        self._folders = tuple(folders)
        self._others = tuple(beside)
        self.method, self._notifier = notifier_for(self._folders, method)
        self._poll_seconds = poll_seconds
        self._signatures: dict[str, Signature | None] = {}
        self._pending: dict[str, float] = {}  # what could not be taken yet, and since when
        self._gone: dict[str, float] = {}
        self._refused: dict[str, bytes] = {}  # what was told to be wrong
        self._beside = False
        self._looked: float | None = None  # when files were looked for, until what was found has settled
        self._found: dict[str, dict[str, Signature | None]] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="plugline watch", daemon=True)
        self._look_at_all()
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop it; what is being taken is taken first. May be called again, and from a callback."""
        self._stopped.set()
        self._notifier.wake()
        if self._thread is not threading.current_thread() and self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        try:
            last = monotonic_seconds()
            while not self._stopped.is_set():
                told = self._notifier.wait(self._patience(last))
                now = monotonic_seconds()
                if told is None or now - last >= self._poll_seconds:
                    last = now
                    told = {*(told or ()), *self._look_at_all()}
                try:
                    self._take(told, now)
                except Exception:
                    import logging  # nothing of ours should raise here

                    logging.getLogger(__name__).exception("a change could not be taken; watching goes on")
        finally:
            self._notifier.close()

    def _patience(self, last: float) -> float:
        """Return how long to wait for the next change."""
        now = monotonic_seconds()
        until = [last + self._poll_seconds]
        until += (since + _QUIET_SECONDS for since in self._pending.values())
        until += (since + _GONE_SECONDS for since in self._gone.values())
        until += () if self._looked is None else (self._looked + _QUIET_SECONDS,)
        return max(min(until) - now, 0.0)

    # ------------------------------------------------------------------ what changed

    def _look_at_all(self) -> set[str]:
        """Return the files that run and may have changed since the last look; and note whether others came or went."""
        changed = set()
        files = self._watched.files()
        for path in files:
            signature = _signature(path)
            if signature != self._signatures.get(path, signature) or _is_young(signature):
                changed.add(path)
            self._signatures[path] = signature
        for folder in (*self._folders, ""):
            found = _found_in(folder) if folder else {path: _signature(path) for path in self._others}
            before = self._found.setdefault(folder, found)
            others = found.keys() - files.keys()
            if found.keys() != before.keys() or any(found[path] != before[path] for path in others):
                self._beside = True
            self._found[folder] = found
        return changed

    def _take(self, told: set[str], now: float) -> None:
        files = self._watched.files()
        ready = self._ready(self._own(told, files) | self._pending.keys(), files, now)
        taken = bool(ready) and self._take_ready(ready, now)
        gone = {path for path, since in self._gone.items() if now - since >= _GONE_SECONDS and _read(path) is None}
        # While a file is away, an editor may be about to put it back: nobody is to look then.
        if gone or (self._beside and not self._gone):
            self._beside = False
            for path in gone:
                self._gone.pop(path, None)
                self._pending.pop(path, None)
            self._watched.look_again(gone)
            self._looked = now
            taken = True
        elif self._looked is not None and now - self._looked >= _QUIET_SECONDS:
            self._looked = None
            self._watched.settle()
        if taken:
            # What was refused may have waited for this.
            for path in [path for path in self._refused if self._watched.take({path}, final=False)]:
                del self._refused[path]

    def _own(self, told: set[str], files: Mapping[str, bytes]) -> set[str]:
        """Return which of the files that run are meant; others may be new ones."""
        own = told & files.keys()
        if len(own) < len(told):
            by_real = {os.path.realpath(path): path for path in files}
            for path in told - own:
                if path in by_real:
                    own.add(by_real[path])
                elif _may_be_source(path):
                    self._beside = True
        return own

    def _ready(self, paths: set[str], files: Mapping[str, bytes], now: float) -> dict[str, bytes]:
        """Return the content of those that are other than what runs, and other than what was refused."""
        ready: dict[str, bytes] = {}
        for path in paths:
            content = _read(path)
            if content is None:
                self._gone.setdefault(path, now)
                continue
            self._gone.pop(path, None)
            if content == files.get(path):
                self._pending.pop(path, None)
                self._refused.pop(path, None)
            elif content != self._refused.get(path):
                ready[path] = content
        return ready

    def _take_ready(self, ready: dict[str, bytes], now: float) -> bool:
        oldest = min((self._pending.get(path, now) for path in ready), default=now)
        final = now - oldest >= _QUIET_SECONDS
        # An empty file is nearly always one that was cut off and is about to be written.
        whole = final or all(content.strip() for content in ready.values())
        taken = whole and self._watched.take(set(ready), final=final)
        for path, content in ready.items():
            if taken or final:
                self._pending.pop(path, None)
                self._refused.pop(path, None)
                if not taken:
                    self._refused[path] = content
            else:
                self._pending.setdefault(path, now)
        return taken


def _signature(path: str) -> Signature | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev


def _is_young(signature: Signature | None) -> bool:
    """Whether a file was written so lately that another save may have left the same time and size."""
    import time  # the file system's clock, and not ours

    return signature is not None and abs(time.time() - signature[0] / 1e9) < _YOUNG_SECONDS


def _found_in(folder: str) -> dict[str, Signature | None]:
    try:
        paths = [os.path.join(folder, name) for name in os.listdir(folder) if _may_be_source(name)]
    except OSError:
        return {}
    return {path: _signature(path) for path in paths}


def _may_be_source(path: str) -> bool:
    """Whether a new file or folder may be a plugin: editors put others beside them while they save."""
    name = os.path.basename(path)
    return (
        not name.startswith((".", "#", "__pycache__"))
        and (name.endswith(".py") or "." not in name)
        and not name.endswith("~")
    )


def _read(path: str) -> bytes | None:
    """Read a file until two reads agree."""
    before: bytes | None = None
    for _ in range(50):
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError:
            return None
        if content == before:
            return content
        before = content
    return before
