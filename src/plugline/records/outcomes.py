"""What a step returned to the records that go on."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Protocol, TypeAlias, cast

from plugline.blame import ErrorText
from plugline.dispatch.copies import structural_copy
from plugline.frozen import frozen
from plugline.records.protocols import Record

_SHORT_CHARACTERS = 60


BatchCall: TypeAlias = Callable[[list[Record]], "Sequence[object] | Regrouped"]
"""A step that takes many records at once, because each call of it is expensive: it runs in a worker, or on a table.

Takes records in order and returns one outcome for each of them, in the same order: what ``transform`` returns (a record,
``None``, an iterable of records), or a :class:`Failed`. Or it returns :class:`Regrouped`, where nobody can say
what became of which. The records may be kept and changed. What it raises itself counts as the failure of each
record of the batch.
"""


class BeginsBatches(Protocol):
    """A :data:`BatchCall` that works on one batch while its caller prepares the next.

    Attributes:
        beat: Where there is one, called with the share of a batch that is done while the batch is waited for.
    """

    beat: Callable[[float], object] | None = None

    def __call__(self, records: list[Record], /) -> "Sequence[object] | Regrouped":
        """See :data:`BatchCall`."""

    def begin(self, records: list[Record], /) -> "Callable[[], Sequence[object] | Regrouped]":
        """Begin with a batch, and return what waits for its outcomes.

        Several may be begun, by one thread; they are waited for in that order.
        """

    def abandon(self) -> None:
        """Forget all batches that were begun and not waited for, because an exception passes."""


@frozen()
class Failed:
    """The outcome of one record on which a batch step failed.

    Attributes:
        traceback: The whole traceback, where it is known.
    """

    error: ErrorText
    traceback: str | None = None


@frozen()
class Regrouped:
    """What became of a batch as a whole: other records, none of which comes from a certain one of them.

    As many as are missing count as dropped, as many as are more count as created. Where a later step fails on one, the dead
    letter holds it as it was after this step, since there is nothing that it came in as.
    """

    records: Sequence[Record]


def checked_decoded(value: object) -> Record:
    """Check what a decoder returned where it is not exactly a dict."""
    if isinstance(value, dict):
        return value
    message = f"expected an object, got {_JSON_NAMES.get(type(value)) or _shown(value)}"
    raise ValueError(message)


_JSON_NAMES = {
    list: "a list",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "true or false",
    type(None): "null",
}
_RECORDS_EXPECTED = "expected a dict, None or an iterable of dicts"


def records_of(value: object) -> list[Record]:
    """Make a list of what a step returned where it is neither ``None`` nor a dict."""
    if isinstance(value, Coroutine):
        value.close()  # otherwise Python warns that nobody awaited it
        message = f"returned a coroutine, {_RECORDS_EXPECTED}; a step cannot be an async function"
        raise TypeError(message)
    if isinstance(value, (str, bytes, bytearray, memoryview, Mapping)) or not isinstance(value, Iterable):
        message = f"returned {_shown(value)}, {_RECORDS_EXPECTED}"
        raise TypeError(message)
    if isinstance(value, (list, tuple)):
        records = [checked_record(index, item) for index, item in enumerate(value)]
        if len(set(map(id, records))) < len(records):
            # [record] * 3 means three records, and the next step may change each of them in place.
            return [cast("Record", structural_copy(record)) for record in records]
        return records
    # A generator may yield one dict again and again, changed in between.
    return [
        item.copy() if item.__class__ is dict else item
        for item in (checked_record(index, item) for index, item in enumerate(value))
    ]


def checked_record(index: int, item: object) -> Record:
    """Return an item of what a step returned, if it is a record."""
    if isinstance(item, dict):
        return item
    message = f"returned an iterable whose item {index} is {_shown(item)}, expected a dict"
    raise TypeError(message)


def _shown(value: object) -> str:
    """Show a foreign value; only those are asked for their ``repr`` that we know."""
    kind = type(value)
    if kind in (str, bytes, int, float, bool, type(None)):
        text = repr(value[:_SHORT_CHARACTERS] if isinstance(value, (str, bytes)) else value)
        return f"{text[:_SHORT_CHARACTERS]} ({kind.__name__})" if value is not None else "None"
    return f"an object of type {kind.__qualname__!r}"
