import pickle
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.contract.settings import Problem
from plugline.errors import ConfigurationError
from plugline.findings import Finding
from plugline.pipeline.config import WHOLE as ALL
from plugline.pipeline.config import (
    ErrorLimit,
    PipelineConfig,
    RunConfig,
    SinkConfig,
    SourceConfig,
    StepConfig,
    config_from_flags,
    read_config,
)

WHOLE = """\
plugins = ["plugins", "more"]

[source]
path = "orders.ndjson"
format = "ndjson"

[[steps]]
use = "trim"

[[steps]]
use = "upper"
name = "loud"
on_error = "drop"
with = { fields = ["name", "city"] }

[sink]
path = "clean.csv"
format = "csv"
options = { delimiter = ";" }

[run]
engine = "local"
dead_letters = "bad.ndjson"
max_errors = 7
"""
SMALL = '[source]\npath = "a.ndjson"\n[sink]\npath = "b.csv"\n'


def findings(text: str) -> list[Finding]:
    with pytest.raises(ConfigurationError) as caught:
        read_config(text, "pipeline.toml")
    return list(caught.value.findings)


def told(text: str) -> list[str]:
    """Return code, place and message of each finding."""
    return [f"{finding.code} {finding.place}: {finding.message}" for finding in findings(text)]


def test_a_whole_pipeline_is_read() -> None:
    assert read_config(WHOLE, "pipeline.toml") == PipelineConfig(
        plugins=("plugins", "more"),
        source=SourceConfig(path="orders.ndjson", format="ndjson"),
        steps=(
            StepConfig(use="trim"),
            StepConfig(use="upper", name="loud", on_error="drop", with_={"fields": ["name", "city"]}),
        ),
        sink=SinkConfig(path="clean.csv", format="csv", options={"delimiter": ";"}),
        run=RunConfig(engine="local", dead_letters="bad.ndjson", max_errors=ErrorLimit(count=7)),
    )


def test_what_is_not_said_has_the_documented_defaults() -> None:
    config = read_config(SMALL, "pipeline.toml")
    assert config.plugins is None
    assert config.steps == ()
    assert config.source.format is None
    assert config.run == RunConfig(engine="local", dead_letters=None, max_errors=ErrorLimit(share=ALL // 20))


def test_a_misspelt_key_is_told_with_its_line_and_the_nearest_key() -> None:
    (finding,) = findings(SMALL.replace("path = ", 'formt = "csv"\npath = ', 1))
    assert (finding.code, str(finding.place)) == ("C101", "pipeline.toml:2:1")
    assert finding.message == "unknown key 'formt'"
    assert finding.hint == "did you mean 'format'? known keys are format, options, path"


@pytest.mark.parametrize(
    ("text", "belongs"),
    [
        (SMALL.replace("path = ", 'delimiter = ";"\npath = ', 1), "options = { delimiter = ... }"),
        (SMALL + '[[steps]]\nuse = "select"\nfields = ["a"]\n', "with = { fields = ... }"),
    ],
)
def test_a_setting_of_a_plugin_beside_its_name_is_told_where_it_belongs(text: str, belongs: str) -> None:
    (finding,) = findings(text)
    assert (finding.hint or "").endswith(f"; a setting of the plugin stands in {belongs}")


def test_all_wrong_keys_are_told_in_the_order_of_the_file() -> None:
    text = '[source]\npaht = "a"\n[sink]\npath = "b"\nfromat = "csv"\n[rum]\n'
    assert told(text) == [
        "C102 pipeline.toml:1:2: missing key 'source.path'",
        "C101 pipeline.toml:2:1: unknown key 'paht'",
        "C101 pipeline.toml:5:1: unknown key 'fromat'",
        "C101 pipeline.toml:6:2: unknown key 'rum'",
    ]


def test_an_empty_file_misses_its_source_and_its_sink() -> None:
    assert told("") == ["C102 pipeline.toml: missing key 'source'", "C102 pipeline.toml: missing key 'sink'"]


def test_a_step_without_a_processor_is_told_at_its_header() -> None:
    assert told(SMALL + '[[steps]]\nuse = "a"\n[[steps]]\n') == ["C102 pipeline.toml:7:3: missing key 'steps[1].use'"]


def test_a_wrong_type_is_told_at_the_value() -> None:
    text = 'plugins = "plugins"\n[source]\npath = 3\n[sink]\npath = "b"\n[run]\ndead_letters = true\n'
    assert told(text) == [
        "C103 pipeline.toml:1:11: 'plugins' is a string, expected a list of strings for 'plugins'",
        "C103 pipeline.toml:3:8: 3 is an integer, expected a string for 'source.path'",
        "C103 pipeline.toml:7:16: true is a boolean, expected a string for 'run.dead_letters'",
    ]


def test_one_table_of_steps_is_told_to_be_a_list() -> None:
    (finding,) = findings(SMALL + '[steps]\nuse = "a"\n')
    assert (finding.code, str(finding.place)) == ("C103", "pipeline.toml:5:2")
    assert finding.hint == "write [[steps]], which begins one of several tables"


def test_an_unknown_word_for_on_error_names_the_nearest() -> None:
    (finding,) = findings(SMALL + '[[steps]]\nuse = "a"\non_error = "deadletter"\n')
    assert (finding.code, str(finding.place)) == ("C104", "pipeline.toml:7:12")
    assert finding.hint is not None
    assert finding.hint.startswith("did you mean 'dead-letter'?")


def test_an_unknown_level_of_isolation_is_refused_and_never_passed_over() -> None:
    (finding,) = findings(SMALL + '[[steps]]\nuse = "a"\nisolation = "sandboxed"\n')
    assert (finding.code, str(finding.place)) == ("C104", "pipeline.toml:7:13")
    assert finding.hint is not None
    assert finding.hint.startswith("did you mean 'sandbox'?")


def test_limits_of_a_step_without_a_sandbox_are_refused_and_never_believed() -> None:
    (finding,) = findings(SMALL + '[[steps]]\nuse = "a"\nsandbox = { net = false }\n')
    assert (finding.code, str(finding.place)) == ("C104", "pipeline.toml:7:11")
    (finding,) = findings(SMALL + '[[steps]]\nuse = "a"\nisolation = "process"\nsandbox = { net = false }\n')
    assert "'net' is limited, but the step has no sandbox" in finding.message


def test_a_rule_is_told_beside_wrong_types() -> None:
    text = SMALL.replace('"a.ndjson"', '""') + '[[steps]]\nuse = ""\nwith = 3\n'
    assert [finding.code for finding in findings(text)] == ["C104", "C104", "C103"]


def test_invalid_toml_is_one_finding() -> None:
    (finding,) = findings(SMALL + "[run\n")
    assert (finding.code, finding.place.line) == ("C105", 5)


def test_a_windows_file_with_a_byte_order_mark_is_read() -> None:
    assert read_config(("\ufeff" + WHOLE.replace("\n", "\r\n")).encode(), "p") == read_config(WHOLE, "p")


def test_places_are_kept_for_later_checks() -> None:
    config = read_config(WHOLE, "pipeline.toml")
    assert str(config.place(("steps", 1, "use"))) == "pipeline.toml:11:7"
    assert str(config.place(("steps", 1, "with", "fields", 1))) == "pipeline.toml:14:28"
    problem = Problem(path=("steps", 1, "with", "field"), code="C101", message="unknown key 'field'", on_key=True)
    assert str(config.finding(problem).place) == "pipeline.toml:14:1"


def test_a_config_pickles_with_its_places() -> None:
    config = read_config(WHOLE, "pipeline.toml")
    again = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own bytes
    assert again == config
    assert again.place(("sink",)) == config.place(("sink",))


def test_a_config_is_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        read_config(SMALL, "p").source.path = "other"  # type: ignore[misc]


def test_a_config_is_equal_wherever_it_was_written() -> None:
    assert read_config(SMALL, "a") == read_config("# here\n" + SMALL, "b")


# ----------------------------------------------------------------------------- flags


def test_flags_make_the_same_pipeline_as_a_file() -> None:
    text = SMALL.replace("a.ndjson", "-") + '[[steps]]\nuse = "trim"\n[[steps]]\nuse = "upper"\n[run]\nmax_errors = 3\n'
    assert config_from_flags(source="-", sink="b.csv", use=["trim", "upper"], max_errors="3") == read_config(text, "p")


def test_all_wrong_flags_are_told_by_their_names() -> None:
    with pytest.raises(ConfigurationError) as caught:
        config_from_flags(source="a", sink="", use=["x", "y"], max_errors="many", on_error="skip")
    found = [(finding.code, str(finding.place)) for finding in caught.value.findings]
    assert sorted(set(found)) == [("C104", "--max-errors"), ("C104", "--on-error"), ("C104", "--output")]


def test_settings_of_a_step_from_flags_have_its_flag_for_a_place() -> None:
    config = config_from_flags(source="a", sink="b", use=["x"], with_=[{"fields": ["name"]}])
    assert config.steps[0].with_ == {"fields": ["name"]}
    assert str(config.place(("steps", 0, "with", "fields"))) == "--with"
    assert str(config.place(("steps", 0, "use"))) == "--use"


# ----------------------------------------------------------------------------- the limit


@pytest.mark.parametrize(
    ("value", "limit"),
    [
        ("5%", ErrorLimit(share=ALL // 20)),
        ("0.5 %", ErrorLimit(share=ALL // 200)),
        ("100%", ErrorLimit(share=ALL)),
        (0, ErrorLimit(count=0)),
        ("12", ErrorLimit(count=12)),
        ("none", ErrorLimit()),
    ],
)
def test_a_limit_is_a_share_or_a_count_or_none(value: object, limit: ErrorLimit) -> None:
    assert ErrorLimit.from_setting(value) == limit


@pytest.mark.parametrize("value", ["0%", "101%", "-5%", "nan%", "inf%", "%", "1e9999999%", "five", "-1", -2, ""])
def test_any_other_limit_is_a_wrong_value(value: object) -> None:
    with pytest.raises(ValueError, match=r"is not a (limit|share), expected"):
        ErrorLimit.from_setting(value)


@pytest.mark.parametrize("value", [0.05, True, ["5%"]])
def test_a_limit_of_another_type_is_a_wrong_type(value: object) -> None:
    with pytest.raises(TypeError, match="is not a limit, expected"):
        ErrorLimit.from_setting(value)


def test_a_wrong_limit_is_told_at_its_value() -> None:
    assert [line.partition(": ")[0] for line in told(SMALL + "[run]\nmax_errors = 0.05\n")] == [
        "C103 pipeline.toml:6:14"
    ]
    assert [line.partition(": ")[0] for line in told(SMALL + "[run]\nmax_errors = -1\n")] == ["C104 pipeline.toml:6:14"]


def test_a_share_is_exceeded_only_beyond_it_and_never_in_a_small_run() -> None:
    limit = ErrorLimit.from_setting("5%")
    assert not limit.exceeded(50, 1000)
    assert limit.exceeded(51, 1000)
    assert not limit.exceeded(999, 999)


def test_a_count_is_exceeded_by_one_more() -> None:
    assert not ErrorLimit(count=3).exceeded(3, 3)
    assert ErrorLimit(count=3).exceeded(4, 10**9)
    assert ErrorLimit(count=0).exceeded(1, 1)


def test_no_limit_is_never_exceeded() -> None:
    assert not ErrorLimit().exceeded(10**9, 10**9)


@given(st.integers(1, 100), st.integers(10, 10**6))
def test_a_share_of_whole_percents_is_counted_without_rounding(percent: int, tens: int) -> None:
    limit = ErrorLimit.from_setting(f"{percent}%")
    allowed = percent * tens
    assert not limit.exceeded(allowed, tens * 100)
    assert limit.exceeded(allowed + 1, tens * 100)


def test_a_limit_is_shown_as_people_say_it() -> None:
    assert str(ErrorLimit.from_setting("5%")) == "5% of at least 1,000 records"
    assert str(ErrorLimit.from_setting("1200")) == "1,200 records"
    assert str(ErrorLimit.from_setting("none")) == "none"
