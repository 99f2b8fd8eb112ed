import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.names import did_you_mean, is_plugin_file_name, module_part, nearest, plugin_name, shell_word


@pytest.mark.parametrize("name", ["upper", "with space", "with-hyphen", "class", "größe", "1st", "a.b"])
def test_a_name_need_be_no_identifier(name: str) -> None:
    assert plugin_name(name) == name


@pytest.mark.parametrize("name", ["", " ", " a", "a\n", "a/b", "a\\b", "a\x1b[2J", "\ud800"])
def test_a_name_that_cannot_be_told_to_people_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(ValueError, match="printable characters"):
        plugin_name(name)


def test_only_dots_change_on_the_way_to_a_module_name() -> None:
    assert module_part("with space") == "with space"
    assert module_part("a.b.c") == "a_b_c"


@given(st.lists(st.text("ab._", min_size=1), unique=True))
def test_no_two_files_get_one_module_name(stems: list[str]) -> None:
    taken = {stem for stem in stems if "." not in stem}
    parts = [module_part(stem, taken) for stem in stems]
    assert len(set(parts)) == len(parts)
    assert not any("." in part for part in parts)


@pytest.mark.parametrize(("name", "may"), [("a.py", True), ("_a.py", False), (".a.py", False), ("__init__.py", False)])
def test_names_that_begin_with_an_underscore_or_a_dot_are_no_plugins(name: str, may: bool) -> None:  # noqa: FBT001
    assert is_plugin_file_name(name) is may


def test_the_nearest_name_is_found_whatever_its_case() -> None:
    assert nearest("UPER", ["trim", "Upper"]) == "Upper"
    assert nearest("xyz", ["trim", "upper"]) is None
    assert nearest("=", ["!=", "<", "<=", "==", ">", ">="]) == "=="


def test_a_hint_names_the_nearest_then_the_known() -> None:
    assert did_you_mean("uper", ["upper", "trim"], kind="plugins") == (
        "did you mean 'upper'? known plugins are trim, upper"
    )
    assert did_you_mean("x", [], kind="plugins") == "there are no known plugins"


def test_a_hint_names_twelve_at_most() -> None:
    hint = did_you_mean("x", [f"plugin{number:02}" for number in range(20)], kind="plugins")
    assert hint.endswith("plugin11 and 8 more")


def test_a_word_for_a_shell_is_one_word_of_it() -> None:
    assert shell_word("plugins/a.py") == "plugins/a.py"
    assert shell_word("-plugins/a.py") == "./-plugins/a.py"
    assert shell_word("my plugins/it's.py") == "'my plugins/it'\"'\"'s.py'"


def test_a_name_is_the_same_however_its_accents_are_written() -> None:
    apart = "cafe\N{COMBINING ACUTE ACCENT}"
    assert plugin_name(apart) == "caf\N{LATIN SMALL LETTER E WITH ACUTE}"
    assert plugin_name(plugin_name(apart)) == plugin_name(apart)
