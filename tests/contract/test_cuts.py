"""One suite for all formats whose bytes can be cut: the pieces are what the whole is."""

import itertools
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from plugline.formats.csv import Csv
from plugline.formats.lines import Lines
from plugline.formats.ndjson import Ndjson
from plugline.formats.tsv import Tsv
from plugline.pipeline import cutting
from plugline.pipeline.cutting import Input
from plugline.pipeline.run import run_plan
from plugline.records import Format, Split
from tests.builders import pipeline

CASES: dict[str, Format] = {
    "ndjson": Ndjson(),
    "lines": Lines(),
    "lines in latin-1": Lines(encoding="latin-1"),
    "csv": Csv(),
    "csv without header": Csv(header=False, fields=["x", "y"]),
    "csv with other marks": Csv(delimiter=";", quotechar="'"),
    "tsv": Tsv(),
}
every_format = pytest.mark.parametrize("form", CASES.values(), ids=CASES)
pieces_of_text = st.lists(
    st.sampled_from(
        ["a", "b,c", '"', '""', "'", ",", ";", "\t", "\n", "\r\n", "ü", '"x\ny"', '5" ', " ", "{}", '{"a":1}']
    )
).map("".join)


def read(form: Format, *pieces: bytes) -> list[object]:
    """Return what each piece holds: records, and for each that is broken what is wrong with it."""
    found: list[object] = []
    for piece in pieces:
        reader = form.reader()
        for batch in reader.batches(cast("BinaryIO", BytesIO(piece))):
            for raw in batch.raws:
                try:
                    record: object = reader.decode(raw)
                except ValueError as error:
                    record = str(error)
                found.append(record if isinstance(record, dict) else repr(record))
    return found


def header_of(form: Format, content: bytes) -> bytes:
    end = form.header_end(content) if hasattr(form, "header_end") else 0
    return content[: max(end, 0)]


class Trickle(BytesIO):
    """A stream that gives a few bytes at a time."""

    def __init__(self, content: bytes, at_most: int) -> None:
        super().__init__(content)
        self._at_most = at_most

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(self._at_most)


def streamed(stream: BytesIO, form: Format, wanted: int, limit: int) -> list[Split]:
    cuts = cutting.byte_cuts(form)
    assert cuts is not None
    return [piece.split for piece in cutting.cut_stream(stream, cuts, 0, limit, wanted) if piece is not None]


def cut(form: Format, content: bytes, at_most: int) -> list[bytes]:
    """Return pieces as a run would cut them, with a smaller window."""
    found = streamed(Trickle(content, at_most), form, at_most, 2**26)
    assert b"".join(split.content or b"" for split in found) == content
    return [split.head + (split.content or b"") for split in found]


@every_format
@given(content=pieces_of_text, at_most=st.integers(1, 40))
@example(content='a,b\n1,2\n"x\ny",3\n4,5" inch\n"q\nr",6\n', at_most=3)
@example(content="a,b\r1,2\r3,4\r", at_most=3)
@example(content='a\n"\r\n"x\ny"aaaaaaa\na', at_most=1)
def test_the_pieces_read_one_after_the_other_are_the_whole(form: Format, content: str, at_most: int) -> None:
    data = content.encode("latin-1" if form == CASES["lines in latin-1"] else "utf-8")
    try:
        whole = read(form, data)
    except ValueError:
        return  # the header is broken, which ends a run at its beginning
    assert read(form, *cut(form, data, at_most)) == whole


@every_format
def test_a_file_is_cut_as_a_stream_is(form: Format, tmp_path: Path) -> None:
    header = b'n\t"text"\n' if isinstance(form, Tsv) else b'n%b"text"\n' % getattr(form, "delimiter", ",").encode()
    content = header + b"".join(b'%d,"some ""text"""\n' % number for number in range(60_000))
    job = pipeline(tmp_path, source=content, source_path="in.x", source_more='format = "lines"')
    cuts = [one.split for one in Input(job.plan(), form, streaming=False).cuts() if one is not None]
    assert len(cuts) > 2
    assert [one.end for one in cuts[:-1]] == [one.start for one in cuts[1:]]
    assert (cuts[0].start, cuts[-1].end) == (0, len(content))
    pieces = [one.head + content[one.start : one.end] for one in cuts]
    assert read(form, *pieces) == read(form, content)


@pytest.mark.slow
def test_lines_of_a_table_that_was_cut_are_counted_as_in_the_whole(tmp_path: Path) -> None:
    rows = [b"%d,ok\n" % number for number in range(150_000)]
    rows[70_000:70_001] = [b'"two\nlines",ok\n', b"ragged\n"]
    content = b"n,what\n\n" + b"".join(rows) + b"ragged\n"
    job = pipeline(tmp_path, source=content, source_path="in.csv", sink="out.csv", run="processes = 2")
    run_plan(job.plan())
    found = [one["position"] for one in job.dead_letters]
    assert [(one["line"], one["row"]) for one in found if isinstance(one, dict)] == [
        (70_005, 70_002),
        (150_005, 150_002),
    ]
    assert job.output == content.replace(b"\n\n", b"\n").replace(b"ragged\n", b"")


@pytest.mark.parametrize("wanted", [50, 250, 1_000, 100_000])
@pytest.mark.parametrize("form", [Ndjson(), Csv()], ids=["ndjson", "csv"])
def test_what_is_too_long_does_not_depend_on_how_much_is_read_at_a_time(form: Format, wanted: int) -> None:
    short, long = b"s" * 299 + b"\n", b"l" * 301 + b"\n"
    content = b"a,b\n" + 3 * short + long + 5 * short + 2 * long + short
    found = streamed(BytesIO(content), form, wanted, 300)
    assert [split.start for split in found if split.too_long] == [904, 904 + 302 + 1500, 904 + 302 + 1500 + 302]
    assert [(one.start, one.end) for one in found[1:]] == [(a.end, b.end) for a, b in itertools.pairwise(found)]
    assert b"".join(split.content or b"" for split in found if not split.too_long) == content.replace(long, b"")
