"""The parts of a run to its output."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from plugline.errors import RunStopped
from plugline.pipeline.parts import Committer
from plugline.records import Part, Split, StepCounts
from tests.builders import Pipeline, pipeline


def part(folder: Path, index: int, content: bytes | None, letters: bytes | None = None, out: int = 1) -> Part:
    paths: list[str | None] = []
    for name, written in (("part", content), ("letters", letters)):
        paths.append(None if written is None else str(folder / f".{name}-{index}.tmp"))
        if written is not None:
            (folder / f".{name}-{index}.tmp").write_bytes(written)
    counted = StepCounts(name="sink", entered=out, created=0, out=out, dropped=0, failed=0)
    split = Split(index=index, count=3, path="in")
    return Part(split=split, path=paths[0], dead_letters_path=paths[1], counts=(counted,))


@pytest.fixture
def job(tmp_path: Path) -> Pipeline:
    made = pipeline(tmp_path, source=b"")
    (tmp_path / "out.ndjson").write_bytes(b"earlier")
    (tmp_path / "out.errors.ndjson").write_bytes(b"earlier errors")
    return made


def commit(job: Pipeline, parts: Sequence[Part], separator: bytes = b"") -> str | None:
    with Committer(job.plan(), separator) as committer:
        for each in parts:
            committer.add(each)
        return committer.commit()


def test_parts_stand_in_order_with_a_separator_between_those_that_hold_records(job: Pipeline) -> None:
    parts = [
        part(job.folder, 0, b"[", out=0),
        part(job.folder, 1, b"a"),
        part(job.folder, 2, b"", out=0),
        part(job.folder, 3, b"b]"),
    ]
    commit(job, parts, b",")
    assert job.output == b"[a,b]"


def test_nothing_has_its_final_name_before_the_commit(job: Pipeline) -> None:
    before = job.files
    with Committer(job.plan(), b"") as committer:
        committer.add(part(job.folder, 0, b"a", b"error"))
        committer.add(part(job.folder, 1, b"b", b"error"))
        assert job.output == b"earlier"
    assert job.output == b"earlier"
    assert job.files == before


def test_dead_letters_of_an_earlier_run_are_removed_where_this_one_has_none(job: Pipeline) -> None:
    assert commit(job, [part(job.folder, 0, b"a")]) == str(job.folder / "out.errors.ndjson")
    assert job.files == ["in.ndjson", "out.ndjson", "pipeline.toml"]


def test_dead_letters_take_the_place_of_those_of_an_earlier_run(job: Pipeline) -> None:
    assert commit(job, [part(job.folder, 0, b"a", b"1"), part(job.folder, 1, b"b", b"2")]) is None
    assert (job.folder / "out.errors.ndjson").read_bytes() == b"12"


def test_an_output_that_cannot_be_put_in_place_leaves_what_was_there(job: Pipeline) -> None:
    (job.folder / "out.ndjson").unlink()
    plan = job.plan()
    (job.folder / "out.ndjson").mkdir()
    with Committer(plan, b"") as committer:
        committer.add(part(job.folder, 0, b"a"))
        with pytest.raises(RunStopped) as caught:
            committer.commit()
    assert caught.value.finding.code == "R102"
    assert job.files == ["in.ndjson", "out.errors.ndjson", "pipeline.toml"]


def test_a_part_that_cannot_be_joined_is_removed_with_the_others(job: Pipeline) -> None:
    with Committer(job.plan(), b"") as committer:
        committer.add(part(job.folder, 0, b"a"))
        (job.folder / ".part-0.tmp").unlink()
        (job.folder / ".part-0.tmp").mkdir()
        with pytest.raises(RunStopped):
            committer.add(part(job.folder, 1, b"b", b"error"))
        (job.folder / ".part-0.tmp").rmdir()
    assert job.files == ["in.ndjson", "out.errors.ndjson", "out.ndjson", "pipeline.toml"]


def test_the_dead_letters_of_a_run_that_stopped_are_kept(job: Pipeline) -> None:
    with Committer(job.plan(), b"") as committer:
        committer.add(part(job.folder, 0, b"a", b"1"))
        last = part(job.folder, 1, None, b"2").dead_letters_path
        assert committer.keep_dead_letters(last) == str(job.folder / "out.errors.ndjson")
    assert (job.folder / "out.errors.ndjson").read_bytes() == b"12"
    assert job.output == b"earlier"


def test_a_run_that_stopped_without_any_leaves_those_of_an_earlier_one(job: Pipeline) -> None:
    with Committer(job.plan(), b"") as committer:
        assert committer.keep_dead_letters(None) is None
    assert (job.folder / "out.errors.ndjson").read_bytes() == b"earlier errors"
