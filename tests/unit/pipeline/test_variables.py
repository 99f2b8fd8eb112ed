from pathlib import Path

import pytest

from plugline.cli import main
from plugline.errors import ConfigurationError
from plugline.findings import Finding, Place
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.config import Override, PipelineConfig, load_config, read_config
from plugline.pipeline.parts import Committer
from plugline.pipeline.plan import make_plan
from plugline.pipeline.variables import veiled

REST = '[sink]\npath = "b.csv"\n'


def read(text: str, **environment: str) -> PipelineConfig:
    return read_config(text, "p.toml", environment=environment)


def told(text: str, **environment: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text, **environment)
    return [f"{finding.code} {finding.place}: {finding.message}" for finding in caught.value.findings]


def test_a_declared_variable_stands_for_its_value() -> None:
    config = read('env = ["DAY"]\n[source]\npath = "orders-${DAY}.ndjson"\n' + REST, DAY="monday", OTHER="x")
    assert config.source.path == "orders-monday.ndjson"
    assert config.variables == ("DAY",)


def test_a_default_counts_where_the_environment_does_not_say() -> None:
    text = '[source]\npath = "${FOLDER}/a.ndjson"\n' + REST + '[env]\nFOLDER = "data"\n'
    assert read(text).source.path == "data/a.ndjson"
    assert read(text, FOLDER="/other").source.path == "/other/a.ndjson"


def test_a_value_that_is_a_variable_alone_has_its_type() -> None:
    text = (
        '[source]\npath = "a"\noptions = { many = "${MANY}", all = "${ALL}", rate = "${RATE}", as_text = "x${MANY}" }\n'
    )
    text += REST + "[env]\nMANY = 5\nALL = { type = 'boolean' }\nRATE = 0.5\n"
    assert read(text, ALL="true").source.options == {"many": 5, "all": True, "rate": 0.5, "as_text": "x5"}
    assert read(text, ALL="0", MANY="7").source.options == {"many": 7, "all": False, "rate": 0.5, "as_text": "x7"}


def test_two_dollars_are_the_text_itself_and_other_dollars_are_left_alone() -> None:
    text = 'env = ["A"]\n[source]\npath = "$${A} $A ${} $$ ${a b} ${A}"\n' + REST
    assert read(text, A="1").source.path == "${A} $A ${} $$ ${a b} 1"


def test_a_value_is_never_read_again_for_variables() -> None:
    assert read('env = ["A", "B"]\n[source]\npath = "${A}"\n' + REST, A="${B}", B="secret").source.path == "${B}"


def test_what_is_not_declared_is_told_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read('env = ["FOLDER"]\n[source]\npath = "${FODLER}/a"\n' + REST, FODLER="there all the same")
    (finding,) = caught.value.findings
    assert (finding.code, str(finding.place)) == ("C130", "p.toml:3:8")
    assert finding.hint is not None
    assert finding.hint.startswith("did you mean 'FOLDER'? ")


def test_what_is_not_set_and_what_has_another_type_is_told_without_its_value() -> None:
    text = '[source]\npath = "${A}"\nformat = "${B}"\n' + REST + "[env]\nA = { }\nB = 3\n"
    assert told(text, B="hunter2") == [
        "C131 p.toml:2:8: the environment variable 'A' is not set, and has no default in [env]",
        "C132 p.toml:3:10: the environment variable 'B' does not hold what [env] says, expected an integer",
    ]


def test_no_message_shows_what_a_variable_holds() -> None:
    text = 'env = ["LIMIT"]\n[source]\npath = "a"\n' + REST + '[run]\nmax_errors = "${LIMIT}"\n'
    (line,) = told(text, LIMIT="hunter2")
    assert "hunter2" not in line
    assert "'${LIMIT}' is not a limit" in line


@pytest.mark.parametrize(
    "text",
    [
        '[source]\npath = "${S}.ndjson"\n[sink]\npath = "b.csv"',
        '[source]\npath = "in.ndjson"\n[sink]\npath = "${S}/b.csv"',
        '[source]\npath = "in.ndjson"\n[sink]\npath = "b.${S}"',
        '[source]\npath = "in.ndjson"\nformat = "${S}"\n[sink]\npath = "b.csv"',
        '[source]\npath = "in.ndjson"\noptions = { nan = "${S}" }\n[sink]\npath = "b.csv"',
        '[source]\npath = "in.ndjson"\n[sink]\npath = "b.csv"\n[[steps]]\nuse = "${S}"',
        '[source]\npath = "in.ndjson"\n[sink]\npath = "b.csv"\n[[steps]]\nuse = "sample"\nwith = { one_in = "${S}" }',
        '[source]\npath = "in.ndjson"\n[sink]\npath = "b.csv"\n[[steps]]\nuse = "cast"\nwith = { types = {}, zone = "${S}" }',
        'plugins = ["${S}"]\n[source]\npath = "in.ndjson"\n[sink]\npath = "b.csv"',
    ],
)
@pytest.mark.parametrize("secret", ["hunter2", "$&\\q"])
def test_no_finding_of_a_plan_shows_what_a_variable_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, text: str, secret: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S", secret)
    (tmp_path / "in.ndjson").write_bytes(b"{}")
    (tmp_path / "pipeline.toml").write_text(f'env = ["S"]\n{text}\n', encoding="utf-8")
    for command, code in (("run", 2), ("check", 1)):
        assert main([command, "pipeline.toml"]) == code
        said = "".join(capsys.readouterr())
        assert "${S}" in said
        assert secret not in said
        assert repr(secret)[1:-1] not in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_no_finding_of_a_run_shows_what_a_variable_holds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("S", "full")
    Path("in.ndjson").write_bytes(b"{}")
    text = 'env = ["S"]\n[source]\npath = "in.ndjson"\n[sink]\npath = "/dev/${S}"\nformat = "ndjson"\n'
    Path("pipeline.toml").write_text(text + '[run]\ndead_letters = "dead.ndjson"\n', encoding="utf-8")
    assert main(["run", "-q"]) == 4
    assert capsys.readouterr().err.startswith("error[R102] /dev/${S}: cannot be written")

    monkeypatch.setenv("S", "hunter2.ndjson")
    Path("pipeline.toml").write_text(text.replace("/dev/", ""), encoding="utf-8")
    plan = make_plan(load_config("pipeline.toml"), "")
    with BoundPlan(plan) as bound, Committer(plan, bound, {}, resume=False, ordered=True):
        assert main(["run", "-q"]) == 2
    said = capsys.readouterr().err
    assert "error[C112] pipeline.toml:5:8: another run is writing '${S}' at this moment" in said
    assert "hunter2" not in said


def test_a_short_value_is_told_apart_from_what_a_message_says() -> None:
    findings = [Finding("C104", "'5' is not one of 15 for 'x'", Place("p.toml"), "write 5")]
    (one,) = veiled(findings, {"N": "5"}, "pipeline.toml")
    assert (one.message, one.hint) == ("'${N}' is not one of 15 for 'x'", "write 5")


def test_records_of_tests_hold_no_variables() -> None:
    text = f'[source]\npath = "a"\n{REST}[[tests]]\ninput = {{ a = "${{X}}" }}\noutput = []\n'
    assert read(text).tests[0].input == ({"a": "${X}"},)


def test_a_wrong_table_of_variables_is_told_in_its_place() -> None:
    text = '[source]\npath = "${A}"\n' + REST + "[env]\nA = { typ = 'integer' }\n"
    lines = told(text, A="1")
    assert "C101 p.toml:6:7: unknown key 'typ'" in lines


def test_an_override_counts_instead_of_the_file_and_is_where_messages_lead() -> None:
    text = '[source]\npath = "a"\n' + REST + '[run]\nengine = "dask"\n'
    override = Override(path=("run", "engine"), value="local", origin=Place("--engine"))
    config = read_config(text, "p.toml", [override])
    assert config.run.engine == "local"
    assert str(config.place(("run", "engine"))) == "--engine"
    assert str(config.place(("sink", "path"))) == "p.toml:4:8"
    wrong = Override(path=("run", "max_errors"), value="lots", origin=Place("--max-errors"))
    with pytest.raises(ConfigurationError) as caught:
        read_config(text, "p.toml", [wrong])
    assert [str(finding.place) for finding in caught.value.findings] == ["--max-errors"]


def test_a_finding_keeps_the_name_of_the_pipeline_and_those_of_variables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA", "orders")
    monkeypatch.setenv("KEY", "DATA")
    text = 'env = ["DATA", "KEY"]\n[source]\npath = "${DATA}/${KEY}.ndjson"\n[sink]\npath = "b.csv"\n'
    (tmp_path / "orders.toml").write_text(text, encoding="utf-8")
    assert main(["run", "orders.toml"]) == 2
    assert "orders.toml:3:8: '${DATA}/${KEY}.ndjson' cannot be read" in capsys.readouterr().err
