"""The parts of a run to its output."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from plugline.errors import ConfigurationError, RunStopped
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.cutting import Cut, Mark
from plugline.pipeline.parts import Committer
from plugline.records import Part, Split, StepCounts
from tests.builders import Pipeline, pipeline


def part(index: int, content: bytes, letters: bytes = b"", out: int = 1) -> tuple[Cut, Part]:
    counts = tuple(StepCounts(name=name, entered=out, created=0, out=out, dropped=0, failed=0) for name in ("a", "b"))
    split = Split(index=index, path="in")
    cut = Cut(split=split, after=Mark(index=index + 1, file=0, start=index + 1), bytes_read=0)
    return cut, Part(split=split, content=(content,), dead_letters=letters, counts=counts, lines=1)


def letter(line: int) -> bytes:
    return b'{"error":{"traceback":null},"position":{"path":"in","split":0,"line":%d}}\n' % line


@pytest.fixture
def job(tmp_path: Path) -> Pipeline:
    made = pipeline(tmp_path, source=b"", sink="out.json")
    (tmp_path / "out.json").write_bytes(b"earlier")
    (tmp_path / "out.errors.ndjson").write_bytes(b"earlier errors")
    return made


@contextmanager
def committer(job: Pipeline, *, resume: bool = False, ordered: bool = True, identity: str = "") -> Iterator[Committer]:
    plan = job.plan()
    with (
        BoundPlan(plan) as bound,
        Committer(plan, bound, {"it": identity}, resume=resume, ordered=ordered) as made,
    ):
        yield made


def commit(job: Pipeline, parts: Sequence[tuple[Cut, Part]], *, ordered: bool = True) -> str | None:
    with committer(job, ordered=ordered) as made:
        for cut, each in parts:
            made.add(cut, each)
        return made.commit()


AFTER = ["in.ndjson", "out.errors.ndjson", "out.json", "pipeline.toml"]


def test_parts_stand_in_order_with_a_separator_between_those_that_hold_records(job: Pipeline) -> None:
    commit(job, [part(0, b"", out=0), part(1, b"a"), part(2, b"", out=0), part(3, b"b")])
    assert job.output == b"[\na,\nb\n]\n"


def test_an_output_without_a_record_is_what_its_format_makes_of_nothing(job: Pipeline) -> None:
    commit(job, [part(0, b"", out=0), part(1, b"", out=0)])
    assert job.output == b"[]\n"


def test_invariant_1_nothing_has_its_final_name_before_the_commit(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*failing(0, b"a", letter(1)))
        made.add(*failing(1, b"b", letter(1)))
        assert job.output == b"earlier"
        assert (job.folder / "out.errors.ndjson").read_bytes() == b"earlier errors"
        made.commit()
    assert job.files == AFTER


def test_a_run_that_ended_before_its_first_part_leaves_nothing(job: Pipeline) -> None:
    before = job.files
    with committer(job):
        assert job.files != before
    assert job.files == before


def test_dead_letters_of_an_earlier_run_are_removed_where_this_one_has_none(job: Pipeline) -> None:
    assert commit(job, [part(0, b"a")]) == str(job.folder / "out.errors.ndjson")
    assert job.files == ["in.ndjson", "out.json", "pipeline.toml"]


def failing(index: int, content: bytes, letters: bytes) -> tuple[Cut, Part]:
    cut, made = part(index, content, letters)
    counts = tuple(
        StepCounts(name=one.name, entered=one.entered + 1, created=0, out=one.out, dropped=0, failed=1)
        for one in made.counts
    )
    return cut, Part(split=made.split, content=made.content, dead_letters=letters, counts=counts, lines=1)


def test_lines_of_dead_letters_are_counted_on_from_part_to_part(job: Pipeline) -> None:
    assert commit(job, [failing(0, b"a", letter(1)), failing(1, b"b", letter(1))]) is None
    lines = [one["position"] for one in job.dead_letters]
    assert lines == [{"path": "in", "split": 0, "line": 1}, {"path": "in", "split": 0, "line": 2}]


def test_parts_may_come_in_any_order_where_that_is_asked_for(job: Pipeline) -> None:
    commit(job, [failing(1, b"b", letter(1)), failing(0, b"a", letter(1))], ordered=False)
    assert job.output == b"[\nb,\na\n]\n"
    assert [one["position"]["line"] for one in job.dead_letters if isinstance(one["position"], dict)] == [1, 2]


@contextmanager
def killed(job: Pipeline, *, resume: bool) -> Iterator[Committer]:
    """A committer whose process is killed at the end of the block: what was in the folder then is what is there after."""
    with committer(job, resume=resume, ordered=False) as made:
        yield made
        left = {path: path.read_bytes() for path in job.folder.iterdir() if path.is_file()}
    for path, content in left.items():
        path.write_bytes(content)


def test_a_part_that_came_before_the_first_is_written_once_however_often_the_run_is_killed(job: Pipeline) -> None:
    with killed(job, resume=False) as made:
        made.add(*part(1, b"b"))
    with killed(job, resume=True) as made:
        made.add(*part(0, b"a"))
    with committer(job, resume=True, ordered=False) as made:
        assert made.resumed_parts == 1
        made.add(*part(1, b"b"))
        made.commit()
    assert job.output == b"[\nb,\na\n]\n"


def test_an_output_that_cannot_be_put_in_place_leaves_what_was_there(job: Pipeline) -> None:
    (job.folder / "out.json").unlink()
    with committer(job) as made:
        made.add(*part(0, b"a"))
        (job.folder / "out.json").mkdir()
        with pytest.raises(RunStopped) as caught:
            made.commit()
        made.forget()
    assert caught.value.finding.code == "R102"
    assert job.files == ["in.ndjson", "out.errors.ndjson", "pipeline.toml"]


def test_the_dead_letters_of_a_run_that_stopped_are_kept(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a", letter(1)))
        cut, last = part(1, b"", letter(1))
        assert made.keep_dead_letters(last, cut) == str(job.folder / "out.errors.ndjson")
    assert (job.folder / "out.errors.ndjson").read_bytes() == letter(1) + letter(2)
    assert job.output == b"earlier"


def test_a_run_that_stopped_without_any_leaves_those_of_an_earlier_one(job: Pipeline) -> None:
    with committer(job) as made:
        assert made.keep_dead_letters(None, None) is None
    assert (job.folder / "out.errors.ndjson").read_bytes() == b"earlier errors"


# ----------------------------------------------------------------------------- going on


@pytest.mark.parametrize("placed", [(), ("letters",), ("letters", "part")])
def test_a_run_that_was_killed_while_its_files_were_put_in_place_ends_so(
    job: Pipeline, placed: tuple[str, ...]
) -> None:
    with committer(job) as made:
        made.add(*failing(0, b"a", letter(1)))
        made._finish_writing()
    for suffix in placed:
        aside(job, suffix).rename(job.folder / ("out.json" if suffix == "part" else "out.errors.ndjson"))
    with committer(job, resume=True) as made:
        assert made.all_done
        assert made.commit() is None
    assert job.output == b"[\na\n]\n"
    assert len(job.dead_letters) == 1
    assert job.files == AFTER


@pytest.mark.parametrize("ordered", [True, False])
def test_what_was_committed_is_gone_on_with(job: Pipeline, ordered: bool) -> None:  # noqa: FBT001
    with committer(job, ordered=ordered) as made:
        made.add(*failing(0, b"a", letter(1)))
        if not ordered:
            made.add(*part(2, b"c"))
    with committer(job, resume=True, ordered=ordered) as made:
        assert made.done.mark == Mark(index=1, file=0, start=1)
        assert (made.resumed_parts, made.done.written, made.done.failed) == (1, 1, 2)
        made.add(*failing(1, b"b", letter(1)))
        made.add(*part(2, b"c"))
        made.commit()
    assert job.output == (b"[\na,\nb,\nc\n]\n" if ordered else b"[\na,\nc,\nb\n]\n")
    assert len(job.dead_letters) == 2
    assert job.files == AFTER


def aside(job: Pipeline, suffix: str) -> Path:
    (found,) = job.folder.glob(f".*.{suffix}")
    return found


def test_invariant_3_what_is_behind_the_last_entry_is_cut_off(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*failing(0, b"a", letter(1)))
    for suffix, more in (("part", b"half a rec"), ("letters", b'{"half'), ("journal", b"00000000 {}\nmore")):
        with aside(job, suffix).open("ab") as file:
            file.write(more)
    with committer(job, resume=True) as made:
        made.add(*part(1, b"b"))
        made.commit()
    assert job.output == b"[\na,\nb\n]\n"
    assert len(job.dead_letters) == 1


def test_without_being_asked_for_a_run_begins_anew(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a"))
    with committer(job) as made:
        assert (made.done.parts, made.resumed_parts) == (0, 0)
        made.add(*part(0, b"b"))
        made.commit()
    assert job.output == b"[\nb\n]\n"


def test_another_input_or_pipeline_is_not_gone_on_with(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a"))
    with pytest.raises(ConfigurationError, match="it changed"), committer(job, resume=True, identity="other"):
        pass
    with committer(job, resume=True) as made:
        assert made.resumed_parts == 1
        made.forget()


def test_a_part_that_somebody_removed_is_named(job: Pipeline) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a"))
    aside(job, "part").unlink()
    with pytest.raises(ConfigurationError, match="is missing"), committer(job, resume=True):
        pass
    with committer(job) as made:
        made.forget()


def test_two_runs_do_not_write_one_output(job: Pipeline) -> None:
    with (
        committer(job),
        pytest.raises(ConfigurationError, match="another run is writing"),
        committer(job),
    ):
        pass


def test_after_a_power_cut_only_what_was_brought_to_disk_counts(job: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a"))
    monkeypatch.setattr("plugline.pipeline.history.machine_start", lambda: "another")
    with committer(job, resume=True) as made:
        assert made.resumed_parts == 0
        made.forget()


def test_where_the_system_does_not_tell_since_when_it_runs_only_what_was_brought_to_disk_counts(
    job: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugline.pipeline.history.machine_start", lambda: "")
    with committer(job) as made:
        made.add(*part(0, b"a"))
        made.pause()
        made.add(*part(1, b"b"))
    with committer(job, resume=True) as made:
        assert made.resumed_parts == 1
        made.forget()


def test_what_a_power_cut_took_back_is_not_counted_again_by_a_later_resume(
    job: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committer(job) as made:
        made.add(*part(0, b"a"))
        made.pause()
        made.add(*part(1, b"lost"))
    monkeypatch.setattr("plugline.pipeline.history.machine_start", lambda: "second")
    with committer(job, resume=True) as made:
        assert made.resumed_parts == 1
        made.add(*part(1, b"b"))
        made.pause()
        made.add(*part(2, b"c"))
    with committer(job, resume=True) as made:
        assert (made.resumed_parts, made.done.written) == (3, 3)
        made.commit()
    assert job.output == b"[\na,\nb,\nc\n]\n"
