"""What is promised to others does not go without a word, and does not come without one."""

import re
from pathlib import Path

import plugline
from tests.public_api import LIST, public_api

ROOT = Path(__file__).parents[1]


def said() -> str:
    """Return what users are told: the documentation and the change notes."""
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md"), ROOT / "CHANGELOG.md"]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def words(lines: set[str]) -> set[str]:
    """Return the last part of each name, and its parameters."""
    return {word for line in lines for word in re.findall(r"[A-Za-z_]\w*", line.rpartition(".")[2].replace("=", ""))}


def test_no_public_name_or_parameter_goes() -> None:
    written, now = set(LIST.read_text(encoding="utf-8").splitlines()), set(public_api())
    names = {re.sub(r"\(.*", "", line) for line in now}
    gone = {line for line in written if re.sub(r"\(.*", "", line) not in names}
    assert gone == set(), "see docs/reference/stability.md; then: python -m tests.public_api"
    for before in written & {line for line in written if "(" in line}:
        name, _, parameters = before.partition("(")
        after = next(line for line in now if line.startswith(f"{name}("))
        kept = set(re.findall(r"\w+", after.partition("(")[2]))
        assert set(re.findall(r"\w+", parameters)) <= kept, f"{before} is {after} now"


def test_no_public_name_or_parameter_comes_unannounced() -> None:
    written, now = set(LIST.read_text(encoding="utf-8").splitlines()), set(public_api())
    known, told = words(written), said()
    new = {word for word in words(now - written) - known if not re.search(rf"\b{word}\b", told)}
    assert new == set(), "say it in changelog.d/ or docs/; then: python -m tests.public_api"


def test_the_facade_keeps_to_its_budget() -> None:
    assert 20 <= len(plugline.__all__) <= 24


def test_the_version_of_the_plugin_api_is_one_that_a_host_takes() -> None:
    assert plugline.API_VERSION == "1.0"
    with plugline.Host(api_version=plugline.API_VERSION) as host:
        assert host.names == ()
