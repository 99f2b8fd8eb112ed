"""Plugins that are edited while a run goes on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import Finding
from plugline.pipeline import following
from plugline.pipeline.following import Replanning
from plugline.pipeline.report import RunReport, Swap
from plugline.pipeline.run import run_plan
from plugline.pipeline.split import Progress
from plugline.pipeline.swapping import Watch
from tests.builders import Pipeline, ndjson, pipeline, processor

FILES, RECORDS = 60, 10


@pytest.fixture(autouse=True)
def looks_at_every_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "_POLLED_SECONDS", 0.0)


def mark(version: object) -> str:
    return processor(f"record['by'] = {version!r}\nreturn record")


def job(folder: Path, *, run: str = "processes = 1", plugins: dict[str, str] | None = None) -> Pipeline:
    numbers = iter(range(FILES * RECORDS))
    source = {f"in/{file:02}.ndjson": ndjson(*({"a": next(numbers)} for _ in range(RECORDS))) for file in range(FILES)}
    return pipeline(
        folder,
        plugins=plugins or {"mark.py": mark(1)},
        source=source,
        source_path="in/*.ndjson",
        steps=["mark"],
        run=run,
    )


def watched(
    made: Pipeline, edits: dict[int, str], *, resume: bool = False, stop_at: int | None = None, name: str = "mark.py"
) -> tuple[RunReport, list[Finding]]:
    """Run it, and edit the plugin when so many records are done."""
    told: list[Finding] = []
    left = dict(edits)

    def edit(progress: Progress) -> None:
        for records in [one for one in left if progress.records_in >= one]:
            (made.folder / "plugins" / name).write_text(left.pop(records), encoding="utf-8")
        if stop_at is not None and progress.records_in >= stop_at:
            raise KeyboardInterrupt

    watch = Watch(changed=Replanning(made.plan, told.append), tell=told.append)
    return run_plan(made.plan(), progress=edit, resume=resume, watch=watch), told


def made_by(made: Pipeline) -> list[object]:
    """Return which version made each record, which are all there, once, and in order."""
    records = [json.loads(line) for line in made.output.splitlines()]
    assert [record["a"] for record in records] == [*range(FILES * RECORDS)]
    return [record["by"] for record in records]


@pytest.mark.parametrize("run", ["processes = 1", pytest.param("processes = 2", marks=pytest.mark.slow)])
def test_the_report_says_from_which_record_on_the_new_version_worked(tmp_path: Path, run: str) -> None:
    made = job(tmp_path, run=run)
    report, told = watched(made, {100: mark(2), 300: mark(3)})
    assert told == []
    by = made_by(made)
    assert report.swaps == (
        Swap(step="mark", generation=2, record=by.index(2) + 1),
        Swap(step="mark", generation=3, record=by.index(3) + 1),
    )
    assert by == sorted(by)  # type: ignore[type-var]
    assert report.balanced


def test_a_version_that_cannot_be_loaded_is_told_of_and_changes_nothing(tmp_path: Path) -> None:
    made = job(tmp_path)
    report, told = watched(made, {100: "1 / 0\n" + mark(2), 300: mark(3)})
    assert [finding.code for finding in told] == ["P301"]
    assert report.swaps == (Swap(step="mark", generation=2, record=made_by(made).index(3) + 1),)


def test_a_version_with_a_syntax_error_is_told_of_and_changes_nothing(tmp_path: Path) -> None:
    made = job(tmp_path)
    report, told = watched(made, {100: "def transform(:\n"})
    assert told
    assert (told[-1].code, told[-1].place.line) == ("P106", 1)
    assert report.swaps == ()
    assert set(made_by(made)) == {1}


def test_an_edited_module_that_the_plugin_imports_is_taken(tmp_path: Path) -> None:
    text = processor("record['by'] = K\nreturn record", top="from ._shared import K")
    made = job(tmp_path, plugins={"mark.py": text, "_shared.py": "K = 1\n"})
    report, told = watched(made, {100: "K = 2\n"}, name="_shared.py")
    assert told == []
    assert report.swaps == (Swap(step="mark", generation=2, record=made_by(made).index(2) + 1),)


def test_dead_letters_name_the_generation_that_failed(tmp_path: Path) -> None:
    made = job(tmp_path)
    report, _ = watched(made, {100: processor("raise ValueError(record)"), 200: mark(3)})
    letters = [json.loads(line) for line in (made.folder / "out.errors.ndjson").read_text().splitlines()]
    assert report.failed == len(letters) > 0
    assert {letter["step"]["generation"] for letter in letters} == {2}


def test_a_run_that_ended_after_a_swap_is_gone_on_with_by_the_version_that_it_had_taken(tmp_path: Path) -> None:
    made = job(tmp_path)
    with pytest.raises(RunStopped):
        watched(made, {100: mark(2)}, stop_at=400)
    report, told = watched(made, {}, resume=True)
    assert told == []
    by = made_by(made)
    assert report.resumed_parts > 0
    assert report.swaps == (Swap(step="mark", generation=2, record=by.index(2) + 1),)
    assert set(by) == {1, 2}


def _ended_after_a_swap(folder: Path, then: str) -> Pipeline:
    made = job(folder)
    with pytest.raises(RunStopped):
        watched(made, {100: mark(2)}, stop_at=400)
    (folder / "plugins" / "mark.py").write_text(then, encoding="utf-8")
    return made


def test_a_run_is_gone_on_with_after_an_edit_of_what_its_plugin_imports_only_where_edits_are_taken(
    tmp_path: Path,
) -> None:
    text = processor("record['by'] = K\nreturn record", top="from ._shared import K")
    made = job(tmp_path, plugins={"mark.py": text, "_shared.py": "K = 1\n", "_other.py": ""})
    with pytest.raises(RunStopped):
        watched(made, {}, stop_at=100)
    (tmp_path / "plugins" / "_other.py").write_text("nobody imports this", encoding="utf-8")
    (tmp_path / "plugins" / "_shared.py").write_text("K = 2\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"step 1 \('mark'\) changed"):
        run_plan(made.plan(), resume=True)
    report, told = watched(made, {}, resume=True)
    assert told == []
    assert report.swaps == (Swap(step="mark", generation=2, record=made_by(made).index(2) + 1),)


@pytest.mark.parametrize("version", [1, 3])
def test_a_run_that_ended_is_gone_on_with_by_another_version_only_where_edits_are_taken(
    tmp_path: Path, version: int
) -> None:
    made = _ended_after_a_swap(tmp_path, mark(version))
    with pytest.raises(ConfigurationError, match="--resume --watch"):
        run_plan(made.plan(), resume=True)
    report, told = watched(made, {}, resume=True)
    assert told == []
    by = made_by(made)
    second, third = by.index(2), len(by) - by[::-1].index(2)
    assert by == [1] * second + [2] * (third - second) + [version] * (len(by) - third)
    assert report.resumed_parts > 0
    assert report.swaps == (
        Swap(step="mark", generation=2, record=second + 1),
        Swap(step="mark", generation=3, record=third + 1),
    )


def test_generations_go_on_counting_in_a_run_that_is_gone_on_with(tmp_path: Path) -> None:
    made = _ended_after_a_swap(tmp_path, processor("raise ValueError(record)"))
    report, _ = watched(made, {500: mark(4)}, resume=True)
    assert [swap.generation for swap in report.swaps] == [2, 3, 4]
    letters = [json.loads(line) for line in (made.folder / "out.errors.ndjson").read_text().splitlines()]
    assert {letter["step"]["generation"] for letter in letters} == {3}
    assert report.failed == len(letters) == report.swaps[2].record - report.swaps[1].record


def test_an_edit_of_the_pipeline_is_not_taken_into_a_run_that_is_gone_on_with(tmp_path: Path) -> None:
    made = _ended_after_a_swap(tmp_path, mark(3))
    made = replace(made, config=replace(made.config, run=replace(made.config.run, max_record_bytes=1_000)))
    with pytest.raises(ConfigurationError, match="step 1") as caught:
        watched(made, {}, resume=True)
    assert "--watch" not in str(caught.value)


def test_an_edit_between_the_plan_and_the_first_split_is_not_lost(tmp_path: Path) -> None:
    made = job(tmp_path)
    told: list[Finding] = []
    plan = made.plan()
    (tmp_path / "plugins" / "mark.py").write_text(mark(2), encoding="utf-8")
    report = run_plan(plan, watch=Watch(changed=Replanning(made.plan, told.append), tell=told.append))
    assert set(made_by(made)) == {2}
    assert report.swaps == (Swap(step="mark", generation=2, record=1),)


def test_a_step_that_keeps_state_is_refused(tmp_path: Path) -> None:
    made = job(tmp_path, plugins={"mark.py": "STATEFUL = True\n" + mark(1)})
    with pytest.raises(ConfigurationError, match="C114"):
        watched(made, {})


def test_a_version_that_begins_to_keep_state_is_told_of_and_changes_nothing(tmp_path: Path) -> None:
    made = job(tmp_path)
    report, told = watched(made, {100: "STATEFUL = True\n" + mark(2)})
    assert [finding.code for finding in told] == ["P331"]
    assert report.swaps == ()
