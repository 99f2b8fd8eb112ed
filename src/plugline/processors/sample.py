"""Keep some records, chosen by chance that comes out the same each time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

from plugline.records import Record

VERSION = "1.0"

_ALL = 2**64
_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_plain = _PLAIN.issuperset


@dataclass(kw_only=True)
class Sample:
    """Keep some records, chosen by chance that comes out the same each time, however the input is split.

    Whether a record is kept follows from what it holds and from the seed, and from nothing else: so records that are the
    same are all kept or all dropped, and those of one customer are, if ``fields`` names the customer.

    Attributes:
        share: The part of all records to keep, from 0 to 1.
        one_in: Keep about one record in so many. Either this or ``share``.
        seed: Another one chooses others.
        fields: The fields that decide; all, unless set.
    """

    share: float | None = None
    one_in: int | None = None
    seed: int = 0
    fields: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuse settings that say nothing, or too much."""
        if (self.share is None) == (self.one_in is None):
            raise ValueError("expected either 'share' or 'one_in'")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"share {self.share!r}: expected a number from 0 to 1")
        if self.one_in is not None and self.one_in < 1:
            raise ValueError(f"one_in {self.one_in!r}: expected 1 or more")
        self._limit = int(self.share * _ALL) if self.share is not None else _ALL // (self.one_in or 1)
        self._hash = blake2b(repr(self.seed).encode(), digest_size=8)

    def transform(self, record: Record) -> Record | None:
        """Return the record, or ``None`` to drop it."""
        try:
            decides = written([record[name] for name in self.fields or sorted(record)])
        except KeyError as error:
            raise ValueError(f"the record lacks {error.args[0]!r}: it has {list(record)!r}") from None
        chance = self._hash.copy()
        chance.update(decides)
        return record if int.from_bytes(chance.digest(), "big") < self._limit else None

    def describe(self) -> str:
        """Return how many are kept."""
        share = f"{self.share:.3g} of all" if self.share is not None else f"one in {self.one_in}"
        return f"sample: keeps {share} records"


def written(values: list[object]) -> bytes:
    """Return bytes that are the same for two lists of values exactly if their values are: of one type, and written the same.

    The order of the keys in a table does not count, nor does the order of a set.
    """
    if not _plain(map(type, values)):
        values = [_ordered(value) for value in values]
    return repr(values).encode("utf-8", "surrogatepass")


def _ordered(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _ordered(item) for key, item in sorted(value.items(), key=lambda pair: repr(pair[0]))}
    if isinstance(value, list | tuple):
        return [_ordered(item) for item in value]
    if isinstance(value, set | frozenset):
        return ("set", sorted(repr(_ordered(item)) for item in value))
    return value
