"""TSV is CSV with a tab."""

import io

import pytest

from plugline.formats.tsv import Tsv


def test_fields_are_divided_by_tabs() -> None:
    reader = Tsv(types={"n": "int"}).reader()
    batches = list(reader.batches(io.BytesIO(b'name\tn\na,b\t1\n"a\tb"\t\n')))
    assert [reader.decode(raw) for batch in batches for raw in batch.raws] == [
        {"name": "a,b", "n": 1},
        {"name": "a\tb", "n": None},
    ]


def test_settings_that_cannot_work_are_refused_at_once() -> None:
    with pytest.raises(ValueError, match="quotechar '\\\\t'"):
        Tsv(quotechar="\t")
