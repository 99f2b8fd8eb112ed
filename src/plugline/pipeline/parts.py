"""The parts of a run to its output: appended in order, put in place when all of them are there."""

import os
from types import TracebackType
from typing import Self

from plugline.errors import RunStopped
from plugline.findings import Finding, Place
from plugline.pipeline.plan import Plan
from plugline.pipeline.streams import compressed_bytes, put_in_place
from plugline.records import Part

_COPIED_BYTES = 2**20  # at a time; shutil has the same loop, and half a bare interpreter's start of imports


class Committer:
    """Takes parts as they come, in order; nothing has its final name before :meth:`commit`.

    Leaving the ``with`` block without it removes all that was written aside.
    """

    def __init__(self, plan: Plan, separator: bytes) -> None:
        """Nothing is opened yet.

        Args:
            plan: Says where output and dead letters belong.
            separator: What the sink's format puts between two parts that both hold records.
        """
        self._plan = plan
        self._separator = compressed_bytes(separator, plan.sink)
        self._output: str | None = None
        self._letters: str | None = None
        self._loose: tuple[str | None, ...] = ()
        self._written = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for path in (self._output, self._letters, *self._loose):
            if path is not None and os.path.exists(path):
                os.unlink(path)

    def add(self, part: Part) -> None:
        """Take the next part.

        Raises:
            RunStopped: It could not be appended.
        """
        written = part.counts[-1].out
        self._loose = (part.path, part.dead_letters_path)
        try:
            separator = self._separator if written and self._written else b""
            self._output = _joined(self._output, part.path, separator)
            self._letters = _joined(self._letters, part.dead_letters_path, b"")
        except OSError as error:
            raise self._stopped(error) from error
        self._loose = ()
        self._written += written

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
            stale = self._letters is None and os.path.isfile(path)
            if self._letters is not None:
                put_in_place(self._letters, path)
                self._letters = None
            if self._output is not None:
                put_in_place(self._output, self._plan.located(self._plan.sink))
                self._output = None
            if stale:
                os.unlink(path)
        except OSError as error:
            raise self._stopped(error) from error
        return self._plan.dead_letters if stale else None

    def keep_dead_letters(self, last: str | None) -> str | None:
        """Put the dead letters of a run that stopped in place, those of its unfinished split included.

        Returns:
            Where they are; ``None`` where there are none, or they could not be kept.
        """
        self._loose = (last,)
        try:
            self._letters = _joined(self._letters, last, b"")
            if self._letters is None:
                return None
            put_in_place(self._letters, self._plan.located(self._plan.dead_letters))
        except OSError:
            return None
        self._letters = None
        return self._plan.dead_letters

    def _stopped(self, error: OSError) -> RunStopped:
        message = f"cannot be put in place: {error.strerror or error}"
        return RunStopped(Finding("R102", message, Place(self._plan.sink)))


def _joined(base: str | None, path: str | None, separator: bytes) -> str | None:
    """Append a file to another one, or make it the first, and return the whole."""
    if path is None or base is None:
        return base if path is None else path
    with open(base, "ab") as whole, open(path, "rb") as part:
        whole.write(separator)
        while piece := part.read(_COPIED_BYTES):
            whole.write(piece)
        whole.flush()
        os.fsync(whole.fileno())
    os.unlink(path)
    return base
