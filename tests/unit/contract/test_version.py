import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.contract.version import api_version_problem, check_api_version

NUMBERS = st.integers(0, 99)


@given(NUMBERS, NUMBERS, NUMBERS, NUMBERS)
def test_a_plain_version_means_the_same_major_and_at_least_that_minor(
    major: int, minor: int, has: int, had: int
) -> None:
    problem = api_version_problem(f"{major}.{minor}", f"{has}.{had}")
    assert (problem is None) == (has == major and had >= minor)


@pytest.mark.parametrize(
    ("required", "offered"),
    [
        ("1", "1.7"),
        ("1.2", "1.10"),
        (">=1.2,<2", "1.2"),
        ("~=1.2", "1.9"),
        ("==1.*", "1.2"),
        ("1.2.3", "1.2.4"),
        ("1.2", "1.2.5"),
        (" 1.2 ", "1.2"),
        ("!=1.3", "1.2"),
    ],
)
def test_these_fit(required: str, offered: str) -> None:
    assert api_version_problem(required, offered) is None


@pytest.mark.parametrize(
    ("required", "offered"), [(">=1.5,<2", "1.2"), ("1.2.3", "1.2.2"), ("1.2.3", "2.0"), ("2", "1.9"), ("1.2", "2.0.1")]
)
def test_these_do_not_fit_and_both_versions_are_named(required: str, offered: str) -> None:
    problem = api_version_problem(required, offered)
    assert problem is not None
    assert repr(required) in problem
    assert repr(offered) in problem


def test_what_a_plain_version_means_is_said() -> None:
    assert api_version_problem("1.7", "1.2") == "requires the plugin API '1.7' (>=1.7,<2), this host has '1.2'"


@pytest.mark.parametrize("required", ["latest", "", "  ", "v1.2", ">=", "1.x", "1" * 5000])
def test_what_is_no_version_is_refused_with_the_rule(required: str) -> None:
    with pytest.raises(ValueError, match="is not an API version"):
        api_version_problem(required, "1.2")


def test_what_a_host_offers_is_checked() -> None:
    check_api_version("1.2")
    check_api_version("2.0.1rc1")
    with pytest.raises(ValueError, match="'latest', a version such as"):
        check_api_version("latest")
    with pytest.raises(TypeError, match=r"1\.1, a string such as"):
        check_api_version(1.10)
