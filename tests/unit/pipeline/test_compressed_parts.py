"""Several inputs into one compressed output, whose parts are appended to each other."""

import gzip
import json
from pathlib import Path

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
