"""Values to text that is the same for values that are the same, in whatever process."""

from collections.abc import Mapping

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})
_plain = _PLAIN.issuperset


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
