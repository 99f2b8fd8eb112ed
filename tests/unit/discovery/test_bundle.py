"""The bundle gives code out only under the digest of its source, and only as it was written."""

import os
import subprocess
import sys
from pathlib import Path
from types import CodeType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugline.discovery.bundle import Bundle, entry_of
from plugline.files import digest_of

OUTLINE = (None, (), ())


def compiled(source: bytes) -> tuple[bytes, CodeType]:
    return digest_of(source), compile(source, "plugin.py", "exec", dont_inherit=True)


def run(code: CodeType | None) -> dict[str, object]:
    assert code is not None
    names: dict[str, object] = {}
    exec(code, names)  # noqa: S102 - what comes out of a bundle is run
    return names


def bundle_with(path: Path, *sources: bytes) -> tuple[Bundle, list[tuple[bytes, tuple[int, int]]]]:
    bundle = Bundle(str(path))
    known = [compiled(source) for source in sources]
    entries = [entry_of(digest, OUTLINE, code, source) for (digest, code), source in zip(known, sources, strict=True)]
    places = bundle.append([entry for entry in entries if entry is not None])
    assert places is not None
    return bundle, [(digest, where) for (digest, _), where in zip(known, places, strict=True)]


def test_code_comes_out_as_it_was_put_in(tmp_path: Path) -> None:
    bundle, entries = bundle_with(tmp_path / "b", b"X = 1", b"X = 'two'")
    assert [run(bundle.find_code(*entry))["X"] for entry in entries] == [1, "two"]


def test_reading_all_at_once_gives_the_same(tmp_path: Path) -> None:
    bundle, entries = bundle_with(tmp_path / "b", b"X = 1", b"X = 2")
    bundle.read_all()
    assert [run(bundle.find_code(*entry))["X"] for entry in entries] == [1, 2]
    _, more = bundle_with(tmp_path / "b", b"X = 3")
    assert run(bundle.find_code(*more[0]))["X"] == 3, "what was appended since is read from the file"


def test_code_of_one_source_does_not_come_out_for_another(tmp_path: Path) -> None:
    bundle, [(_, first), (second_digest, _)] = bundle_with(tmp_path / "b", b"X = 1", b"X = 2")
    assert bundle.find_code(second_digest, first) is None
    assert bundle.find_code(digest_of(b"X = 3"), first) is None


@pytest.mark.parametrize("other", [b"X = 2", b"X = 1\n", b"X = ", b""])
def test_no_other_source_is_run_under_a_digest(other: bytes, tmp_path: Path) -> None:
    bundle, [(digest, where)] = bundle_with(tmp_path / "b", b"X = 1")
    assert bundle.find_running("plugin.py", digest, where, other) is None
    assert bundle.find_running("plugin.py", digest, where, b"X = 1") is not None


def test_entries_are_found_in_any_order_and_beyond_what_was_read_ahead(tmp_path: Path) -> None:
    sources = [b"X = %d\n#%s" % (number, b"x" * 2**17) for number in range(5)]
    bundle, entries = bundle_with(tmp_path / "b", *sources)
    bundle.read_all()
    for order in ([0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 4, 0, 3, 1]):
        assert [run(bundle.find_code(*entries[number]))["X"] for number in order] == order


def test_a_digest_that_was_forged_is_not_enough(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [(_, (offset, length))] = bundle_with(path, b"X = 1")
    other = digest_of(b"X = 2")
    content = bytearray(path.read_bytes())
    content[offset : offset + 32] = other
    path.write_bytes(content)
    assert bundle.find_code(other, (offset, length)) is None


def test_no_changed_byte_is_run(tmp_path: Path) -> None:
    path = tmp_path / "b"
    source = b"def f(a, b=1):\n    return a + b\n"
    bundle, [(digest, where)] = bundle_with(path, source)
    content = path.read_bytes()

    @given(st.integers(0, len(content) - 1), st.integers(1, 255))
    def check(at: int, change: int) -> None:
        changed = bytearray(content)
        changed[at] ^= change
        path.write_bytes(changed)
        is_of_note = NOTE.start <= at < NOTE.stop
        assert (bundle.find_code(digest, where) is not None) == is_of_note
        assert (bundle.find_outline(digest, where) is not None) == is_of_note
        assert (bundle.find_running("plugin.py", digest, where, source) is not None) == is_of_note
        assert (bundle.find_source(digest, where) == source) == is_of_note

    assert bundle.find_source(digest, where) == source
    check()


IMPORTS = b"import math\nfrom os import sep\n"
NOTE = slice(40, 296)


def needs(bundle: Bundle, digest: bytes, where: tuple[int, int]) -> object:
    source = bundle.find_source(digest, where)
    assert source is not None
    running = bundle.find_running("plugin.py", digest, where, source)
    assert running is not None
    return running[1]


@pytest.mark.parametrize(
    ("source", "expected"),
    [(IMPORTS, (("math", ()), ("os", ("sep",)))), (b"", ()), (b"print(1)", None)],
    ids=["inert", "empty", "not inert"],
)
def test_what_a_module_does_is_found_out_by_who_runs_it_first(source: bytes, expected: object, tmp_path: Path) -> None:
    bundle, [entry] = bundle_with(tmp_path / "b", source)
    before = (tmp_path / "b").read_bytes()
    assert needs(bundle, *entry) == expected
    after = (tmp_path / "b").read_bytes()
    assert after[NOTE] != before[NOTE], "it is noted"
    assert (after[: NOTE.start], after[NOTE.stop :]) == (before[: NOTE.start], before[NOTE.stop :])
    program = """
import sys
from plugline.discovery.bundle import Bundle
found = Bundle(sys.argv[1]).find_running("plugin.py", bytes.fromhex(sys.argv[2]), (0, int(sys.argv[3])), sys.argv[4].encode())
print(found[1], "plugline.discovery.inert" in sys.modules)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "b"), entry[0].hex(), str(entry[1][1]), source.decode()]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout == f"{expected} False\n"


def test_notes_of_many_are_written_when_all_are_done(tmp_path: Path) -> None:
    bundle, entries = bundle_with(tmp_path / "b", IMPORTS, b"X = 1", b"print(2)")
    before = (tmp_path / "b").read_bytes()
    bundle.read_all()
    expected = [needs(bundle, *entry) for entry in entries]
    assert (tmp_path / "b").read_bytes() == before
    bundle.forget()
    assert (tmp_path / "b").read_bytes() != before
    assert [needs(Bundle(str(tmp_path / "b")), *entry) for entry in entries] == expected


def test_a_damaged_note_is_found_out_again(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [entry] = bundle_with(path, IMPORTS)
    expected = needs(bundle, *entry)
    content = path.read_bytes()

    @given(st.integers(NOTE.start, NOTE.stop - 1), st.integers(1, 255))
    def check(at: int, change: int) -> None:
        changed = bytearray(content)
        changed[at] ^= change
        path.write_bytes(changed)
        assert needs(bundle, *entry) == expected
        assert path.read_bytes() == content

    check()


def test_a_note_of_one_module_does_not_serve_for_another(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [harmless, other] = bundle_with(path, b"X = 1", b"print(2)")
    assert (needs(bundle, *harmless), needs(bundle, *other)) == ((), None)
    content = bytearray(path.read_bytes())
    at = other[1][0]
    content[at + NOTE.start : at + NOTE.stop] = content[NOTE]
    path.write_bytes(content)
    assert needs(bundle, *other) is None


def test_a_module_with_more_imports_than_a_note_holds_is_inert_all_the_same(tmp_path: Path) -> None:
    source = b"".join(b"import module_of_a_long_name_%d\n" % number for number in range(30))
    bundle, [entry] = bundle_with(tmp_path / "b", source)
    before = (tmp_path / "b").read_bytes()
    for _ in range(2):
        found = needs(bundle, *entry)
        assert isinstance(found, tuple)
        assert len(found) == 30
    assert (tmp_path / "b").read_bytes() == before


def test_nothing_is_noted_in_a_file_that_took_the_place_of_the_bundle(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [entry] = bundle_with(path, IMPORTS)
    bundle.hold()
    other = tmp_path / "other"
    bundle_with(other, b"Y = 'something else, and longer than the other one'", b"Z = 2")
    os.replace(other, path)
    before = path.read_bytes()
    assert needs(bundle, *entry) is not None, "it is read from the file that is held"
    assert path.read_bytes() == before
    bundle.let_go()


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write to anything")
def test_a_bundle_that_cannot_be_written_to_is_read(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [entry] = bundle_with(path, IMPORTS)
    path.chmod(0o400)
    assert needs(bundle, *entry) == needs(bundle, *entry) == (("math", ()), ("os", ("sep",)))


@given(length=st.integers(0, 400), offset=st.integers(0, 2**70))
def test_any_place_is_looked_at_without_harm(
    length: int, offset: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "places.bundle"
    bundle, [(digest, _)] = bundle_with(path, b"X = 1")
    found = bundle.find_code(digest, (offset, length))
    assert found is None or run(found)["X"] == 1


def test_a_bundle_that_is_not_there_gives_nothing(tmp_path: Path) -> None:
    bundle = Bundle(str(tmp_path / "none"))
    bundle.read_all()
    assert bundle.find_code(digest_of(b""), (0, 100)) is None
    assert Bundle(str(tmp_path / "no" / "folder")).append([b"x"]) is None


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_a_bundle_that_others_may_write_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "b"
    bundle, [entry] = bundle_with(path, b"X = 1")
    path.chmod(0o620)
    assert bundle.find_code(*entry) is None
    path.chmod(0o600)
    assert bundle.find_code(*entry) is not None


def test_a_bundle_behind_a_link_is_not_read(tmp_path: Path) -> None:
    _, [entry] = bundle_with(tmp_path / "b", b"X = 1")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    assert Bundle(str(tmp_path / "link")).find_code(*entry) is None


WRITER = """
import sys
from plugline.discovery.bundle import Bundle, entry_of
from plugline.files import digest_of
bundle = Bundle(sys.argv[1])
for number in range(50):
    sources = [b"X = %d\\nY = 'x' * %d" % (number, one) for one in range(int(sys.argv[2]), int(sys.argv[2]) + 3)]
    codes = [(digest_of(source), compile(source, "p", "exec")) for source in sources]
    places = bundle.append([entry_of(digest, None, code, b'') for digest, code in codes])
    for (digest, _), (offset, length) in zip(codes, places):
        print(digest.hex(), offset, length)
"""


@pytest.mark.slow
def test_several_processes_append_at_once_and_lose_nothing(tmp_path: Path) -> None:
    path = str(tmp_path / "b")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, path, str(10 * number)], stdout=subprocess.PIPE, text=True)
        for number in range(4)
    ]
    lines = [line for writer in writers for line in writer.communicate()[0].splitlines()]
    assert all(writer.returncode == 0 for writer in writers)
    assert len(lines) == 4 * 50 * 3
    bundle = Bundle(path)
    for line in lines:
        digest, offset, length = line.split()
        assert bundle.find_code(bytes.fromhex(digest), (int(offset), int(length))) is not None
