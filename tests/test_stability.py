"""What is promised to others does not go without a word, and does not come without one."""

import inspect
import re
from pathlib import Path

import plugline
from tests.public_api import LIST, public_api

ROOT = Path(__file__).parents[1]
WORD = re.compile(r"[A-Za-z_]\w*")


def said() -> str:
    """Return what users are told in pages and change notes; the reference has docstrings besides."""
    pages = [*(ROOT / "docs").rglob("*.md"), *(ROOT / "changelog.d").glob("*.md"), ROOT / "CHANGELOG.md"]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def described(line: str) -> tuple[str, bool]:
    """Return what the reference says around a public name, and whether the name has words of its own there."""
    name = line.strip().removeprefix("class ").partition("(")[0]
    value: object = plugline
    around = ""
    for part in name.removeprefix("plugline.").split("."):
        value = inspect.getattr_static(value, part, None)
        value = getattr(value, "__func__", value)
        around += f"\n{inspect.getdoc(value) or ''}"
    return around, bool(inspect.getdoc(value)) and not isinstance(value, (str, int, float, tuple))


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
    written, told = set(LIST.read_text(encoding="utf-8").splitlines()), said()
    before = {word for line in written for word in WORD.findall(line)}
    unannounced = []
    for line in sorted(set(public_api()) - written):
        around, has_words = described(line)
        name, _, parameters = line.strip().partition("(")
        new = {word for word in WORD.findall(parameters.replace("self", "")) if word not in before}
        new |= set() if has_words else {name.rpartition(".")[2]}
        unannounced += [f"{name}: {word}" for word in new if not re.search(rf"\b{word}\b", around + told)]
    assert unannounced == [], "say it in its docstring, in docs/ or in changelog.d/; then: python -m tests.public_api"


def test_the_facade_keeps_to_its_budget() -> None:
    assert 20 <= len(plugline.__all__) <= 24


def test_the_version_of_the_plugin_api_is_one_that_a_host_takes() -> None:
    assert plugline.API_VERSION == "1.0"
    with plugline.Host(api_version=plugline.API_VERSION) as host:
        assert host.names == ()
