"""Values and files that tests name only by what they are about."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from plugline.pipeline.config import PipelineConfig, read_config
from plugline.pipeline.plan import Plan, make_plan
from plugline.pipeline.report import RunReport
from plugline.pipeline.run import run_plan
from plugline.pipeline.split import ProgressCall


def processor(body: str = "return record", *, top: str = "") -> str:
    """Return the source of a processor; ``body`` is that of its ``transform(record)``."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    return f"{top}\n\ndef transform(record):\n{lines}\n\ndef describe():\n    return 'made for a test'\n"


def ndjson(*records: object) -> bytes:
    """Return one line a record; bytes stand as they are."""
    return b"".join((one if isinstance(one, bytes) else json.dumps(one).encode()) + b"\n" for one in records)


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """A pipeline file with its plugins and its input, all in one folder."""

    folder: Path
    config: PipelineConfig
    sink: str

    def plan(self) -> Plan:
        return make_plan(self.config, str(self.folder))

    def run(self, progress: ProgressCall | None = None) -> RunReport:
        return run_plan(self.plan(), progress=progress)

    @property
    def output(self) -> bytes:
        return (self.folder / self.sink).read_bytes()

    @property
    def records(self) -> list[object]:
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def dead_letters(self) -> list[dict[str, object]]:
        path = next(self.folder.glob("*.errors.ndjson"), None)
        return [] if path is None else [json.loads(line) for line in path.read_bytes().splitlines()]

    @property
    def files(self) -> list[str]:
        """The names of all files beside the pipeline, hidden ones included."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())


def pipeline(
    folder: Path,
    *,
    plugins: Mapping[str, str] | None = None,
    source: bytes | Mapping[str, bytes] | None = None,
    source_path: str = "in.ndjson",
    source_more: str = "",
    steps: Sequence[str] = (),
    sink: str = "out.ndjson",
    sink_more: str = "",
    run: str = "",
) -> Pipeline:
    """Write a pipeline and all that it needs.

    Args:
        folder: Where.
        plugins: Sources by path below the folder ``plugins``.
        source: The input file, or several by name; ``None`` writes none.
        source_path: What the pipeline says.
        source_more: Further lines of ``[source]``.
        steps: The lines of each ``[[steps]]``; a single word is the name of a plugin.
        sink: What the pipeline says.
        sink_more: Further lines of ``[sink]``.
        run: The lines of ``[run]``.
    """
    for name, text in (plugins or {}).items():
        path = folder / "plugins" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    inputs = {source_path: source} if isinstance(source, bytes) else source or {}
    for name, content in inputs.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    lines = ["[source]", f"path = {json.dumps(source_path)}", source_more]
    for step in steps:
        lines += ["[[steps]]", f'use = "{step}"' if step.isidentifier() else step]
    if "engine" not in run:
        run = "\n".join([run, os.environ.get("PLUGLINE_TESTED_ENGINE", "")])  # see tests/engines/run
    lines += ["[sink]", f"path = {json.dumps(sink)}", sink_more, "[run]", run]
    text = "\n".join(line for line in lines if line) + "\n"
    (folder / "pipeline.toml").write_text(text, encoding="utf-8")
    config = read_config(text, str(folder / "pipeline.toml"))
    return Pipeline(folder=folder, config=config, sink=sink)
