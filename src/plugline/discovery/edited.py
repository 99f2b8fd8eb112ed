"""Files that were plugins before somebody edited them a moment ago to their new rows, where code shows all that these hold.

A program is started after each edit of a plugin that somebody works on, and mostly the file is one plugin after it as it was
before. To see that takes less than what reads any file, judges it and writes the index
(:mod:`plugline.discovery.update`), which is asked wherever something is not plain.

Nothing is written down: a file that was edited a moment ago has to be read by the next listing too.
"""

import warnings

from plugline.clock import monotonic_seconds, unix_nanoseconds
from plugline.discovery.compiling import compile_source, find_fault
from plugline.discovery.outline import may_have_block, outline_of
from plugline.discovery.recall import ENTRY, NAME, UNSETTLED, Recall, Row, bit_of, owner_of, settled, status_of
from plugline.discovery.rest import rest_of
from plugline.files import digest_of, read_plain
from plugline.names import plugin_name
from plugline.typed import TYPE_CHECKING, Callable, CodeType, Mapping, Sequence

if TYPE_CHECKING:
    from plugline.discovery.known import Outline


def reread(
    recall: Recall, stale: Sequence[Row], number: int, fits: "Callable[[Outline], bool]", seconds: dict[str, float]
) -> Mapping[str, Row] | None:
    """Return the new rows by their paths in the folder; ``None`` where one of the files is not plainly a plugin as it was.

    Args:
        stale: The rows of the files as they were: each was one plugin for hosts of these circumstances.
        number: That of the circumstances. What a host makes of a file must depend on nothing but who owns it, the API version that
            it requires, the permissions that its block declares, and ``fits``.
        fits: Whether an outline proves that a file provides what the host asks for.
        seconds: Where it is noted how long each took.
    """
    rows: dict[str, Row] = {}
    for row in stale:
        began = monotonic_seconds()
        new = _reread(recall, row, number, fits)
        if new is None:
            return None
        rows[row[ENTRY]] = new
        seconds[row[ENTRY]] = monotonic_seconds() - began
    return rows


def _reread(recall: Recall, row: Row, number: int, fits: "Callable[[Outline], bool]") -> Row | None:
    began = unix_nanoseconds()
    entry = row[ENTRY]
    path = f"{recall.real}/{entry}"
    found = read_plain(path) if "/" not in entry else None  # a folder in between may be a link
    if found is None or settled(status_of(found[1]), began) != UNSETTLED:
        return None
    content = found[0]
    rest = rest_of(row)
    if rest.owners != (owner_of(found[1]),) or number in rest.verdicts:
        return None  # it had warnings, or may have some now
    digest = digest_of(content)
    if digest == rest.digest:
        return (entry, *UNSETTLED, *row[NAME:])
    code = _compiled(content, path)
    outline = outline_of(code) if code is not None else None
    if outline is None or outline[0] is None or not fits(outline):
        return None
    summary, name, version, dunder_version, api = outline[0]
    if api != rest.api or rest.findings:
        return None
    try:
        checked = plugin_name(name if name is not None else rest.name)
    except ValueError:
        return None
    rest.digest, rest.where, rest.order, rest.verdicts = digest, (0, 0), ((), (), 0), {}
    rest.python, rest.dependencies, rest.settings = None, (), {}
    return (entry, *UNSETTLED, str.__str__(checked), version or dunder_version, summary, bit_of(number), rest.dump())


def _compiled(content: bytes, path: str) -> CodeType | None:
    if find_fault(content) is not None or may_have_block(content):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are given when it is loaded
            return compile_source(content, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
