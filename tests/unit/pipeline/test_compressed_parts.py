"""Several inputs into one compressed output, whose parts are appended to each other."""

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from plugline.cli import main
from plugline.pipeline.config import config_from_flags
from plugline.pipeline.plan import make_plan
from plugline.pipeline.run import run_plan


def test_a_compressed_array_of_several_inputs_is_whole(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"in-{number}.ndjson").write_text(f'{{"n":{number}}}\n')
    config = config_from_flags(source=str(tmp_path / "in-*.ndjson"), sink=str(tmp_path / "out.json.gz"))

    run_plan(make_plan(config))

    with gzip.open(tmp_path / "out.json.gz") as stream:
        assert json.load(stream) == [{"n": 0}, {"n": 1}, {"n": 2}]


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize(
    ("suffix", "decompress"),
    [
        ("gz", gzip.decompress),
        ("bz2", bz2.decompress),
        ("xz", lzma.decompress),
        ("zst", lambda data: zstandard.ZstdDecompressor().stream_reader(data).read()),
    ],
)
def test_a_compressed_output_without_records_is_one_for_other_programs_too(
    tmp_path: Path, suffix: str, decompress: Callable[[bytes], bytes], processes: str
) -> None:
    (tmp_path / "in.ndjson").write_text('{"n":1}\n{"n":2}\n')
    out = tmp_path / f"out.ndjson.{suffix}"
    drop = ["--use", "filter", "--with", 'field="n",operator="==",value=3']
    command = ["run", *drop, str(tmp_path / "in.ndjson"), "-o", str(out), "-q", "--processes", processes]
    assert main(command) == 0
    assert out.stat().st_size
    assert decompress(out.read_bytes()) == b""
    assert main(["run", str(out), "-o", str(tmp_path / "back.ndjson"), "-q"]) == 0
