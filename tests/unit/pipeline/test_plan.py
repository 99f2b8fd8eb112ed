"""A configuration to a plan, or to everything that is wrong with it."""

import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

import plugline
from plugline import Host, Modules
from plugline.errors import ConfigurationError
from plugline.findings import Finding
from plugline.pipeline.catalogue import INTERFACES, SHIPPED, Kind
from plugline.pipeline.config import config_from_flags, read_config
from plugline.pipeline.plan import check_settings, dead_letters_beside, declared_settings, make_plan, shown_fields
from plugline.pipeline.run import run_plan
from tests.builders import Pipeline, pipeline, processor

FIELDS = """
from dataclasses import dataclass

@dataclass
class Upper:
    fields: list[str]
    times: int = 1

    def transform(self, record):
        return record

    def describe(self):
        return "upper"
"""


def findings(job: Pipeline) -> Sequence[Finding]:
    with pytest.raises(ConfigurationError) as caught:
        job.plan()
    return caught.value.findings


def told(job: Pipeline) -> list[tuple[str, str, int | None, int | None]]:
    return [(one.code, os.path.basename(one.place.path), one.place.line, one.place.column) for one in findings(job)]


def test_a_plan_pickles(tmp_path: Path) -> None:
    step = 'use = "upper"\nwith = { fields = ["a"] }'
    job = pipeline(tmp_path, plugins={"upper.py": FIELDS}, source=b"", steps=[step])
    plan = job.plan()
    assert pickle.loads(pickle.dumps(plan)) == plan  # noqa: S301 - our own


def test_nothing_is_run_by_planning(tmp_path: Path) -> None:
    top = "raise SystemExit('was run')"
    before = {*sys.modules}, [*sys.meta_path]
    pipeline(tmp_path, plugins={"upper.py": processor(top=top)}, source=b"", steps=["upper"]).plan()
    assert not {name for name in sys.modules if name.startswith("plugins")}
    assert sys.meta_path == before[1]


_PLANNED = """
import sys
parsed = []
sys.addaudithook(lambda event, arguments: parsed.append(str(arguments[1])) if event == "compile" else None)
from plugline.pipeline.config import read_config
from plugline.pipeline.plan import make_plan
for _ in range(2):  # what the first one remembers, the second one knows
    parsed.clear()
    make_plan(read_config(open("pipeline.toml", "rb").read(), "pipeline.toml"), ".")
print([path.rpartition("/")[2] for path in parsed if "plugins" in path])
"""


@pytest.mark.parametrize(("source", "parsed"), [(processor(), []), (FIELDS, ["upper.py"])], ids=["functions", "class"])
def test_planning_reads_the_syntax_tree_of_a_plugin_with_settings_only(
    source: str, parsed: list[str], tmp_path: Path
) -> None:
    # It takes as long as compiling the plugin, which is a third of a short run where that has two thousand lines.
    step = 'use = "upper"\nwith = { fields = ["a"] }' if parsed else "upper"
    job = pipeline(tmp_path, plugins={"upper.py": source}, source=b"", steps=[step])
    ran = subprocess.run([sys.executable, "-c", _PLANNED], cwd=job.folder, capture_output=True, text=True, check=False)
    assert ran.stdout == f"{parsed}\n", ran.stderr


# ----------------------------------------------------------------------------- settings


def test_an_unknown_setting_is_told_with_the_nearest_and_its_place(tmp_path: Path) -> None:
    step = 'use = "upper"\nwith = { feilds = ["a"], fields = ["b"] }'
    job = pipeline(tmp_path, plugins={"upper.py": FIELDS}, source=b"", steps=[step])
    (finding,) = findings(job)
    assert finding.code == "C101"
    assert str(finding.place).endswith("pipeline.toml:5:10")
    assert "did you mean 'fields'" in (finding.hint or "")


def test_all_wrong_settings_of_all_steps_are_told(tmp_path: Path) -> None:
    steps = [
        'use = "upper"\nwith = { feilds = ["a"], tmies = 2 }',
        'use = "upper"\nwith = { fields = "a", times = "b" }',
    ]
    job = pipeline(tmp_path, plugins={"upper.py": FIELDS}, source=b"", steps=steps)
    assert told(job) == [
        ("C101", "pipeline.toml", 5, 10),
        ("C101", "pipeline.toml", 5, 26),
        ("C102", "pipeline.toml", 5, 1),
        ("C103", "pipeline.toml", 8, 19),
        ("C103", "pipeline.toml", 8, 32),
    ]


def test_a_module_with_functions_has_no_settings(tmp_path: Path) -> None:
    step = 'use = "upper"\nwith = { fields = ["a"] }'
    job = pipeline(tmp_path, plugins={"upper.py": processor()}, source=b"", steps=[step])
    assert told(job) == [("C101", "pipeline.toml", 5, 1)]


def test_settings_of_a_format_are_checked_as_well(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", source_more='options = { delimeter = ";" }', source_path="in.csv")
    assert told(job) == [("C101", "pipeline.toml", 3, 13)]


# ----------------------------------------------------------------------------- names


def test_unknown_names_are_told_all_at_once_with_the_nearest(tmp_path: Path) -> None:
    job = pipeline(
        tmp_path,
        plugins={"upper.py": processor()},
        source=b"",
        source_more='format = "ndjsn"',
        steps=["uper", "other"],
        sink_more='format = "cvs"',
        run='engine = "locl"',
    )
    found = findings(job)
    assert [(one.code, one.place.line) for one in found] == [
        ("C107", 3),
        ("C106", 5),
        ("C106", 7),
        ("C107", 10),
        ("C106", 12),
    ]
    hints = [one.hint or "" for one in found]
    nearest = ["ndjson", "upper", None, "csv", "local"]
    for hint, name in zip(hints, nearest, strict=True):
        assert hint.startswith(f"did you mean {name!r}?" if name else "known processors are ")


def test_a_file_without_a_known_suffix_needs_a_format(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", source_path="in.dat", sink="out")
    found = findings(job)
    assert [(one.code, one.place.line) for one in found] == [("C107", 2), ("C107", 4)]
    assert found[0].hint == 'name it: format = "ndjson" in [source]'


def test_the_format_of_a_folder_is_that_of_its_files(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source={"data/a.ndjson": b"", "data/b.ndjson.gz": b""}, source_path="data")
    assert job.plan().reader.name == "ndjson"


def test_files_of_two_formats_need_one_to_be_named(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source={"data/a.ndjson": b"", "data/b.csv": b""}, source_path="data")
    (finding,) = findings(job)
    assert finding.code == "C107"
    assert finding.message == "its files have the suffixes ['.csv', '.ndjson'], and a source has one format"
    assert finding.hint == "take the files of one, as '*.csv' does, or name the format that all of them have"


def test_files_of_one_format_may_have_several_of_its_suffixes(tmp_path: Path) -> None:
    source = {"data/a.jsonl": b'{"n":1}\n', "data/b.ndjson": b'{"n":2}\n'}
    job = pipeline(tmp_path, source=source, source_path="data")
    assert job.plan().reader.name == "ndjson"
    assert job.run().records_out == 2


def test_a_rejected_plugin_that_is_used_tells_what_is_wrong_with_it_once(tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"upper.py": "def transform(:\n"}, source=b"", steps=["upper", "upper"])
    assert [(code, file) for code, file, _, _ in told(job)] == [
        ("C106", "pipeline.toml"),
        ("P106", "upper.py"),
        ("C106", "pipeline.toml"),
    ]


def test_a_broken_plugin_that_is_not_used_does_not_matter(tmp_path: Path) -> None:
    plugins = {"upper.py": processor(), "broken.py": "def transform(:\n", "nothing.py": ""}
    assert pipeline(tmp_path, plugins=plugins, source=b"", steps=["upper"]).plan().steps[0].use.name == "upper"


def test_a_plugin_folder_that_is_named_must_be_there(tmp_path: Path) -> None:
    config = config_from_flags(source="-", sink="-", source_format="json", sink_format="json", plugins=["nowhere"])
    with pytest.raises(ConfigurationError) as caught:
        make_plan(config, str(tmp_path))
    assert [one.code for one in caught.value.findings] == ["P110"]


# ----------------------------------------------------------------------------- files


def test_a_missing_source_is_told(tmp_path: Path) -> None:
    job = pipeline(tmp_path)
    (finding,) = findings(job)
    assert (finding.code, finding.place.line) == ("C109", 2)
    assert finding.message == "'in.ndjson' cannot be read: No such file or directory"


@contextmanager
def without_privileges(folder: Path) -> Iterator[None]:
    """Be a user whom permissions hold, who gets to the folder."""
    before = os.geteuid()
    if before == 0:
        for one in (folder, *folder.parents[:2]):
            one.chmod(0o755)
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("path", ["sealed", "sealed/in.ndjson"])
def test_a_source_in_a_folder_that_may_not_be_entered_is_not_told_as_missing(path: str, tmp_path: Path) -> None:
    job = pipeline(tmp_path, source_path=path, source_more='format = "ndjson"')
    (tmp_path / "sealed").mkdir(mode=0)
    with without_privileges(tmp_path):
        (finding,) = [finding for finding in findings(job) if finding.code == "C109"]
    assert finding.message == f"{path!r} cannot be read: Permission denied"
    theirs = "it belongs to 'root', who can allow it to 'nobody'"
    assert finding.hint == (theirs if os.geteuid() == 0 else f"allow it: chmod u+rx {tmp_path / 'sealed'}")


def test_a_source_below_a_file_is_told_as_that(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source_path="in.ndjson/one.ndjson")
    (tmp_path / "in.ndjson").touch()
    (finding,) = findings(job)
    assert finding.message == "'in.ndjson/one.ndjson' cannot be read: Not a directory"


def test_several_files_are_splits_in_order(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source={"b.ndjson": b"", "a.ndjson": b""}, source_path="*.ndjson", sink="out.csv")
    splits = job.plan().splits
    assert [(one.index, one.count, os.path.basename(one.path)) for one in splits] == [
        (0, 2, "a.ndjson"),
        (1, 2, "b.ndjson"),
    ]


def test_the_sink_may_not_be_the_source(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", sink="in.ndjson")
    assert told(job) == [("C111", "pipeline.toml", 4, 8)]


@pytest.mark.parametrize(
    ("sink", "dead_letters"),
    [("pipeline.toml", "dead.ndjson"), ("look.csv", "dead.ndjson"), ("out.ndjson", "./look.csv")],
)
def test_nothing_that_is_read_is_written_over(sink: str, dead_letters: str, tmp_path: Path) -> None:
    (tmp_path / "look.csv").write_text("id\n1\n", encoding="utf-8")
    step = 'use = "join"\nwith = { path = "look.csv", on = "id" }'
    run = f"dead_letters = {json.dumps(dead_letters)}"
    job = pipeline(tmp_path, source=b"", sink=sink, sink_more='format = "ndjson"', steps=[step], run=run)
    (finding,) = findings(job)
    assert (finding.code, "a file that it reads" in finding.message) == ("C111", True)


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_nor_may_a_link_lead_from_the_sink_to_a_source(link: object, tmp_path: Path) -> None:
    job = pipeline(tmp_path, source={"a.ndjson": b"", "b.ndjson": b""}, source_path="[ab].ndjson")
    assert callable(link)
    link(tmp_path / "b.ndjson", tmp_path / "out.ndjson")
    assert [code for code, *_ in told(job)] == ["C111"]


@pytest.mark.parametrize(
    ("sink", "said"),
    [
        ("nowhere/out.ndjson", "does not exist"),
        ("in.ndjson/out.ndjson", "is a file, expected a folder"),
        ("plugins", "is a folder, expected a file"),
        ("plugins/", "is a folder, expected a file"),
        ("new/", "is a folder, expected a file"),
        ("memory://new/", "is a folder, expected a file"),
        ("o\0ut.ndjson", "is not a file name"),
    ],
)
def test_a_sink_that_cannot_be_there_is_told_before_anything_runs(sink: str, said: str, tmp_path: Path) -> None:
    plugins = {"upper.py": processor()}
    job = pipeline(tmp_path, plugins=plugins, source=b"", sink=sink, sink_more='format = "ndjson"')
    (finding,) = findings(job)
    assert (finding.code, finding.place.line) == ("C111", 4)
    assert said in finding.message
    assert finding.hint


def test_a_folder_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", sink="sealed/out.ndjson")
    (tmp_path / "sealed").mkdir(mode=0o555)
    with without_privileges(tmp_path):
        # Another user may not be able to read this checkout either, which is then found as well.
        (finding,) = [finding for finding in findings(job) if finding.code == "C111"]
    assert "cannot be written to" in finding.message
    # What the hint names can be done: nobody else's folder is changed by chmod.
    assert (finding.hint or "").startswith("it belongs to 'root', who" if os.geteuid() == 0 else "allow it: chmod u+w ")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("out.ndjson", "is the sink itself"),
        ("in.ndjson", "is a source itself"),
        ("-", "cannot go to standard output"),
        ("nowhere/errors.ndjson", "does not exist"),
        ("plugins", "is a folder"),
    ],
)
def test_dead_letters_have_a_file_of_their_own(path: str, said: str, tmp_path: Path) -> None:
    job = pipeline(tmp_path, plugins={"upper.py": ""}, source=b"", run=f'dead_letters = "{path}"')
    (finding,) = findings(job)
    assert (finding.code, finding.place.line) == ("C111", 6)
    assert said in finding.message


def test_dead_letters_are_not_put_in_the_place_of_those_that_are_the_source(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", source_path="clean.errors.ndjson", sink="clean.csv")
    (finding,) = findings(job)
    assert finding.code == "C111"
    assert "is a source itself" in finding.message


def test_special_files_may_take_both_output_and_dead_letters(tmp_path: Path) -> None:
    run = 'dead_letters = "/dev/null"'
    job = pipeline(tmp_path, source=b"", sink="/dev/null", sink_more='format = "ndjson"', run=run)
    assert job.plan().dead_letters == "/dev/null"


@pytest.mark.parametrize(
    ("sink", "letters"),
    [
        ("clean.csv", "clean.errors.ndjson"),
        ("data/clean.ndjson.gz", "data/clean.errors.ndjson"),
        ("report.2024.csv", "report.2024.errors.ndjson"),
        ("clean", "clean.errors.ndjson"),
        ("clean.gz", "clean.errors.ndjson"),
        ("a.b/clean", "a.b/clean.errors.ndjson"),
    ],
)
def test_dead_letters_are_beside_the_sink_by_default(sink: str, letters: str) -> None:
    assert dead_letters_beside(sink) == letters


def test_paths_are_relative_to_the_pipeline_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sub" / "inner").mkdir(parents=True)
    job = pipeline(tmp_path / "sub", plugins={"upper.py": processor()}, source=b"", steps=["upper"], sink="../out.csv")
    monkeypatch.chdir(tmp_path)
    plan = make_plan(job.config, "sub")
    assert plan.splits[0].path == "sub/in.ndjson"
    assert plan.sink == "sub/../out.csv"
    assert plan.dead_letters == "sub/../out.errors.ndjson"
    assert str(plan.steps[0].use.place) == "sub/plugins/upper.py"
    assert plan.located(plan.sink) == str(tmp_path / "sub/../out.csv")


def test_a_linked_folder_is_left_by_the_way_that_the_file_system_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far" / "sub").mkdir(parents=True)
    job = pipeline(tmp_path / "far" / "sub", source=b"", sink="../out.csv")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "sub")
    monkeypatch.chdir(tmp_path)
    plan = make_plan(job.config, "link")
    assert os.path.realpath(plan.located(plan.sink)) == str(tmp_path / "far" / "out.csv")


def test_standard_output_has_dead_letters_named_after_the_source(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", sink="-", sink_more='format = "ndjson"')
    assert job.plan().dead_letters == "in.errors.ndjson"


def test_so_has_a_special_file(tmp_path: Path) -> None:
    job = pipeline(tmp_path, source=b"", sink="/dev/null", sink_more='format = "ndjson"')
    assert job.plan().dead_letters == "in.errors.ndjson"


def test_flags_are_the_places_of_what_is_wrong_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.dat").touch()
    config = config_from_flags(source="in.dat", sink="nowhere/out.csv", use=["upper"], engine="locl")
    with pytest.raises(ConfigurationError) as caught:
        make_plan(config)
    assert [(one.code, str(one.place)) for one in caught.value.findings] == [
        ("C107", "SOURCE"),
        ("C106", "--use"),
        ("C106", "--engine"),
        ("C111", "--output"),
    ]
    assert caught.value.findings[0].hint == "name it: --from ndjson"


def test_a_setting_that_is_a_path_is_relative_to_the_pipeline_file(tmp_path: Path) -> None:
    (tmp_path / "lookup.csv").write_text("id,name\n1,one\n", encoding="utf-8")
    job = pipeline(
        tmp_path,
        source=b'{"id": "1"}\n',
        steps=['use = "join"\nwith = { path = "lookup.csv", on = "id" }'],
    )
    job.run()
    assert job.records == [{"id": "1", "name": "one"}]


def test_a_plugin_folder_may_be_a_zip_file_whose_files_are_carried_with_what_they_import(tmp_path: Path) -> None:
    made = pipeline(tmp_path, source=b'{"a": 1}\n', steps=["zipped"])
    text = (tmp_path / "pipeline.toml").read_text()
    with ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("zipped.py", processor("return {'word': WORD}", top="from packed._word import WORD"))
        archive.writestr("_word.py", "WORD = 'zipped'\n")
    config = read_config(f'plugins = ["packed.zip"]\n{text}', "pipeline.toml")
    plan = make_plan(config, str(tmp_path))
    assert sorted(plan.folders[0].files) == ["_word.py", "zipped.py"]
    (tmp_path / "packed.zip").unlink()
    run_plan(plan)
    assert made.records == [{"word": "zipped"}]


def test_of_a_pattern_without_files_only_that_is_told(tmp_path: Path) -> None:
    made = pipeline(tmp_path, source_path="none/*.nothing")
    with pytest.raises(ConfigurationError) as caught:
        made.plan()
    assert [finding.code for finding in caught.value.findings] == ["C109"]


def test_an_empty_folder_is_not_taken_for_a_misspelt_name(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    job = pipeline(tmp_path, source_path="in")
    (finding,) = findings(job)
    assert (finding.code, finding.hint) == ("C109", "put files into it, or name another")
    assert finding.message == "'in' cannot be read: the folder holds no files"


def test_a_folder_of_folders_says_how_their_files_are_read(tmp_path: Path) -> None:
    place = tmp_path / "data" / "year=2026" / "month=11"
    place.mkdir(parents=True)
    (place / "a.ndjson").write_bytes(b'{"a": 1}\n')
    (finding,) = findings(pipeline(tmp_path, source_path="data"))
    assert finding.hint == "the files in the folders that it holds are read by a pattern: 'data/**'"
    job = pipeline(tmp_path, source_path="data/**")
    job.run()
    assert job.records == [{"a": 1}]


SHIPPED_MODULES = sorted(
    (kind, f"{package}.{file.stem}")
    for kind, package in SHIPPED.items()
    for file in (Path(plugline.__file__).parent / package.rpartition(".")[2]).glob("[!_]*.py")
)


@pytest.mark.parametrize(("kind", "module"), SHIPPED_MODULES, ids=lambda one: one.rpartition(".")[2])
def test_what_is_shipped_has_the_settings_that_its_source_shows(kind: Kind, module: str) -> None:
    name = module.rpartition(".")[2]
    with Host(Modules({name: module}), interface=INTERFACES[kind]) as host:
        shown, _ = shown_fields(host[name], kind)
        assert shown is not None
        assert declared_settings(host[name], kind) == {field.name for field in shown}
        required = [f"{field.name!r} is missing" for field in shown if field.required]
        problems = check_settings(host[name], kind, {}, (), "")[2]
        assert len(problems) == len(required)
        unknown = check_settings(host[name], kind, {"no such setting": 1}, (), "")[2]
        assert len(unknown) == len(required) + 1


def test_importing_all_that_is_shipped_imports_no_library() -> None:
    """A plan does so for each that it names, before anybody knows whether it is ever run."""
    modules = ", ".join(module for _, module in SHIPPED_MODULES)
    program = f"import sys, orjson, plugline.records; before = {{*sys.modules}}; import {modules}; print(*({{*sys.modules}} - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    imported = {name.partition(".")[0] for name in done.stdout.split() if not name.startswith("_")}
    assert imported - sys.stdlib_module_names == {"plugline"}
