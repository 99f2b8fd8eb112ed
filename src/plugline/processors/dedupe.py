"""Drop records that have come before."""

import sqlite3
import weakref
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Literal

from plugline.processors.sample import written
from plugline.records import Record

VERSION = "1.0"

# Whether a record is dropped depends on those before it: all of them have to pass through one process, in order.
STATEFUL = True

_DIGEST_BYTES = 32  # as long as that of SHA-256: nobody has ever found two texts with the same one


def _all(record: Record) -> list[object]:
    return [part for name in sorted(record) for part in (name, record[name])]


@dataclass(kw_only=True)
class Dedupe:
    """Drop records that have come before: of those that are the same, the first is kept.

    Exact: what has been seen is kept, in memory up to ``memory_keys`` keys, in a temporary file from there on. Two
    values are the same when they have one type and are written the same, so 1 is another than 1.0.

    Attributes:
        fields: The fields that have to be the same; all of them, unless set.
        missing: What to do with a record that lacks one of them: fail, drop it, or keep it.
        memory_keys: How many keys are held in memory, about 120 bytes each.
    """

    fields: list[str] = field(default_factory=list)
    missing: Literal["error", "drop", "keep"] = "error"
    memory_keys: int = 500_000

    def __post_init__(self) -> None:
        """Begin without having seen anything."""
        if self.memory_keys < 1:
            raise ValueError(f"memory_keys {self.memory_keys!r}: expected 1 or more")
        self._recent: set[bytes] = set()
        self._spilled: sqlite3.Connection | None = None
        self._no_room: str | None = None

    def transform(self, record: Record) -> Record | None:
        """Return the record if it is the first of its kind."""
        try:
            text = written([record[name] for name in self.fields] if self.fields else _all(record))
        except KeyError as error:
            if self.missing == "error":
                raise ValueError(f"the record lacks {error.args[0]!r}: it has {list(record)!r}") from None
            return record if self.missing == "keep" else None
        # A short key stands for itself.
        known = text if len(text) < _DIGEST_BYTES else blake2b(text, digest_size=_DIGEST_BYTES).digest()
        if known in self._recent or (self._spilled is not None and self._was_spilled(self._spilled, known)):
            return None
        if self._no_room is not None:
            raise OSError(self._no_room)
        self._recent.add(known)
        if len(self._recent) >= self.memory_keys:
            try:
                self._spill()
            except sqlite3.Error as error:
                self._recent.discard(known)
                self._no_room = (
                    f"what has been seen cannot be put aside in the folder for temporary files: {error}\n"
                    "  hint: make room there, or name another folder in the variable TMPDIR"
                )
                raise OSError(self._no_room) from error
        return record

    @staticmethod
    def _was_spilled(spilled: sqlite3.Connection, known: bytes) -> bool:
        return spilled.execute("SELECT 1 FROM seen WHERE known = ?", (known,)).fetchone() is not None

    def _spill(self) -> None:
        if self._spilled is None:
            # A database without a name is a temporary file that SQLite removes itself, also when the process is killed.
            self._spilled = sqlite3.connect("", isolation_level=None, check_same_thread=False)
            weakref.finalize(self, self._spilled.close)
            self._spilled.execute("PRAGMA cache_size = -16384")  # 16 MiB
            self._spilled.execute("CREATE TABLE seen (known BLOB PRIMARY KEY) WITHOUT ROWID")
        with self._spilled:  # which takes back what it could not write whole
            self._spilled.execute("BEGIN")
            # Sorted, so that neighbours in the file are written one after the other.
            self._spilled.executemany("INSERT INTO seen VALUES (?)", ((known,) for known in sorted(self._recent)))
        self._recent.clear()

    def describe(self) -> str:
        """Return by what records are the same."""
        return f"dedupe: drops records that have come before, by {', '.join(self.fields) or 'all fields'}"
