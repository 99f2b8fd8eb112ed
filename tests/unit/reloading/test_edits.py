"""What a reload may leave out, because an edit shows that it is not needed."""

import gc
from collections.abc import Callable
from pathlib import Path

from plugline import Host
from plugline.admission.policy import Policy
from plugline.reloading.report import ReloadReport

_TEXT = '''"""Shout."""
import contextlib
import dataclasses
import functools

@dataclasses.dataclass
class Heard:
    by: list = dataclasses.field(default_factory=list)

class Loud:
    volume = 1

    def __init__(self):
        self.heard = []

    @property
    def level(self):
        return [self.volume for _ in range(1)]

    @contextlib.contextmanager
    def louder(self):
        yield self

@functools.lru_cache
def cached(value):
    return value

def transform(record):
    return 1

def many(record):
    yield record
'''


def _report(found: object) -> ReloadReport:
    assert isinstance(found, ReloadReport)
    return found


def _walks(run: Callable[[], object]) -> int:
    """Return how often a call looked through all objects of the process."""
    count = 0
    look = gc.get_referrers

    def counted(*objects: object) -> list[object]:
        nonlocal count
        count += 1
        return look(*objects)

    gc.get_referrers = counted
    try:
        run()
    finally:
        gc.get_referrers = look
    return count


def test_a_body_edit_looks_through_nothing_where_nobody_else_holds_its_code(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(_TEXT)
    with Host(tmp_path, interface=["transform"]) as host:
        module = host["x"].load()
        for number in (2, 3, 4):
            path.write_text(_TEXT.replace("return 1", f"return {number}"))
            assert _walks(lambda: host.reload("x")) == 0
            assert module.transform({}) == number  # type: ignore[attr-defined]


def test_an_edit_that_runs_all_again_looks_through_nothing_where_nobody_has_what_is_new(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(f"LIMIT = 1\n{_TEXT}")
    with Host(tmp_path, interface=["transform"]) as host:
        module = host["x"].load()
        held = module.transform, module.Loud(), module.Loud().louder, module.cached, module.Heard()  # type: ignore[attr-defined]
        for number in (2, 3, 4):
            path.write_text(f"LIMIT = {number}\n{_TEXT.replace('return 1', f'return {number}')}")
            assert _walks(lambda: host.reload("x")) == 0
            assert (module.LIMIT, held[0]({})) == (number, number)  # type: ignore[attr-defined]
            assert isinstance(held[1], module.Loud)  # type: ignore[attr-defined]


def test_what_only_somebody_else_has_is_looked_for_once(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = "LIMIT = 0\ndef transform(record):\n    def inner():\n        return 1\n    return inner\n"
    path.write_text(text)
    with Host(tmp_path, interface=["transform"]) as host:
        inner = host["x"].load().transform({})  # type: ignore[attr-defined]
        path.write_text(text.replace("return 1", "return 2"))
        assert _walks(lambda: host.reload("x")) == 1
        assert inner() == 2
        for number in (3, 4):
            path.write_text(text.replace("return 1", f"return {number}"))
            assert _walks(lambda: host.reload("x")) == 0
            assert inner() == number
        for number in (5, 6):
            path.write_text(text.replace("return 1", f"return {number}").replace("= 0", f"= {number}"))
            assert _walks(lambda: host.reload("x")) == 0
            assert inner() == number
        also = host["x"].load().transform({})  # type: ignore[attr-defined]
        path.write_text(text.replace("return 1", "return 7"))
        assert _walks(lambda: host.reload("x")) == 1
        assert (inner(), also()) == (7, 7)


def test_who_has_tuples_of_classes_as_keys_is_looked_for_once_and_not_once_for_each(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = "class A: pass\nBY = {(A, number): number for number in range(40)}\n"
    path.write_text(text)
    with Host(tmp_path) as host:
        module = host["x"].load()
        path.write_text(text + "more = 1\n")
        assert _walks(lambda: host.reload("x")) < 10
        assert module.BY[module.A, 39] == 39  # type: ignore[attr-defined]


def test_a_body_edit_has_the_digest_of_what_runs(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(_TEXT)
    with Host(tmp_path, interface=["transform"]) as host:
        plugin = host["x"]
        plugin.load()
        before = plugin.spec.digest
        path.write_text(_TEXT.replace("return 1", "return 2"))
        assert _report(host.reload("x")).how == "grafted"
        assert plugin.spec.digest != before
        host.refresh()
        assert host["x"].spec.digest == plugin.spec.digest
        assert plugin.generation == 2


def test_an_edit_within_a_comprehension_or_a_lambda_is_one_of_a_body(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = "SEEN = []\ndef transform(record):\n    SEEN.append(1)\n    add = lambda one: one\n    return [add(one) for one in record]\n"
    path.write_text(text)
    with Host(tmp_path, interface=["transform"]) as host:
        transform = host["x"].load().transform  # type: ignore[attr-defined]
        transform("ab")
        for old, new, expected in (("[add(one) ", "[add(one) + '!' ", "a!"), (": one\n", ": '?' + one\n", "?a!")):
            text = text.replace(old, new)
            path.write_text(text)
            assert _report(host.reload("x")).how == "grafted"
            assert transform("ab")[0] == expected
        assert len(host["x"].load().SEEN) == 3  # type: ignore[attr-defined]


def test_an_edit_of_describe_is_an_edit_of_the_summary(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = "def describe():\n    return 'first'\ndef transform(record):\n    return record\n"
    path.write_text(text)
    with Host(tmp_path, interface=["transform"]) as host:
        plugin = host["x"]
        plugin.load()
        assert plugin.summary == "first"
        path.write_text(text.replace("first", "second"))
        assert _report(host.reload("x")).how == "grafted"
        assert plugin.summary == "second"


_BLOCK = '# /// script\n# [tool.plugline]\n# api = ">=1.0"\n# ///\ndef transform(record):\n    return 1\n'


def test_a_comment_that_asks_for_another_version_of_the_host_is_no_edit_of_a_body(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(_BLOCK)
    with Host(tmp_path, interface=["transform"], api_version="1.1") as host:
        module = host["x"].load()
        path.write_text(_BLOCK.replace(">=1.0", ">=2.0").replace("return 1", "return 2"))
        report = _report(host.reload("x"))
        assert (report.how, [one.code for one in report.refused]) == ("refused", ["P210"])
        assert module.transform({}) == 1  # type: ignore[attr-defined]


def test_what_a_plugin_declares_goes_along_with_a_body_edit(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = _BLOCK.replace('api = ">=1.0"', 'permissions = { env = ["HOME"] }')
    path.write_text(text)
    with Host(tmp_path, interface=["transform"], policy=Policy(audit="refuse")) as host:
        module = host["x"].load()
        path.write_text("\n" + text.replace("return 1", "import os; return os.getenv('HOME') and 2"))
        assert _report(host.reload("x")).how == "grafted"
        assert host["x"].spec.block_line == 2
        assert module.transform({}) == 2  # type: ignore[attr-defined]
        path.write_text(text.replace("return 1", "import os; return os.system('true')"))
        report = _report(host.reload("x"))
        assert (report.how, [one.code for one in report.refused]) == ("refused", ["T204"])
        assert module.transform({}) == 2  # type: ignore[attr-defined]


def test_a_generator_of_a_method_that_sleeps_while_all_is_run_again_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    text = "LIMIT = 1\nclass Many:\n    def all(self):\n        yield LIMIT\n        yield LIMIT\ndef transform(record):\n    return Many()\n"
    path.write_text(text)
    with Host(tmp_path, interface=["transform"]) as host:
        sleeping = host["x"].load().transform({}).all()  # type: ignore[attr-defined]
        next(sleeping)
        path.write_text(text.replace("= 1", "= 2"))
        report = _report(host.reload("x"))
        assert (report.how, report.in_flight) == ("adopted", ("Many.all",))
        assert [*sleeping] == [1]
