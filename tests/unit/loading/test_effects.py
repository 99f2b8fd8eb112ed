"""What of a process a source speaks of."""

import random
import subprocess
import sys
from itertools import product
from pathlib import Path

from plugline.loading.effects import Mentions

_WORDS = (b"signal", b"ogg", b"warn", b"callbacks")


def test_what_stands_in_a_source_is_found_and_what_does_not_is_not() -> None:
    source = Mentions(b"import logging\n")
    assert [source.has(word) for word in _WORDS] == [False, True, False, False]


def test_a_word_that_an_edit_completes_is_found() -> None:
    befores = {b"", b"x", b"sig", b"signa", b"ignal", b"siggnal", b"sinal", b"a sig nal b", b"sisignal"}
    afters = {b"signal", b"a signal b", b"ssignall", b"sisignal", b"x", b""}
    for before, after in product(befores, afters):
        first = Mentions(before)
        first.has(b"signal")
        assert Mentions(after, first).has(b"signal") == (b"signal" in after), (before, after)


def test_what_is_known_of_many_versions_is_what_a_search_of_each_finds() -> None:
    chance = random.Random(7)  # noqa: S311 - edits, no secrets
    text = b"ogwarnsiglcbk"
    source = Mentions(text)
    for _ in range(3000):
        at, length = chance.randrange(len(text) + 1), chance.randrange(4)
        put = bytes(chance.choices(b"ogwarnsiglcbk", k=chance.randrange(5))) + chance.choice(
            (b"", b"", b"ogg", b"warn")
        )
        text = (text[:at] + put + text[at + length :])[-60:]
        source = Mentions(text, source)
        for word in chance.sample(_WORDS, chance.randrange(5)):
            assert source.has(word) == (word in text), (word, text)


def test_versions_before_are_let_go_of() -> None:
    before = b"x = 1\n" * 100
    held = sys.getrefcount(before)
    first = Mentions(before)
    first.has(b"warn")
    second = Mentions(before + b"y", first)
    del first
    assert not second.has(b"warn")
    assert sys.getrefcount(before) == held


_FIRST_TO_LOG = """
import logging
logging.getLogger("app.x").setLevel(10)
logging.getLogger("app.x").propagate = False
logging.getLogger().setLevel(40)
def f(): pass
"""
_PROGRAM = """
import sys
from pathlib import Path
from plugline import Host
assert "logging" not in sys.modules
folder = Path(sys.argv[1])
with Host(folder) as host:
    host["x"].load()
    import logging
    log = logging.getLogger("app.x")
    assert (log.level, log.propagate, logging.root.level) == (10, False, 40)
    (folder / "x.py").write_text("K = 1\\n")
    report = host.reload("x")
    assert report.ok, report
    assert (log.level, log.propagate, logging.root.level) == (0, True, 30), (log.level, log.propagate, logging.root.level)
"""


def test_levels_are_those_from_before_also_where_the_plugin_was_the_first_to_log(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(_FIRST_TO_LOG)
    command = [sys.executable, "-c", _PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
