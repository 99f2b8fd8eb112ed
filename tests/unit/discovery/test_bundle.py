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
        is_of_code = at < len(content) - len(source)  # the source stands last
        assert (bundle.find_code(digest, where) is None) == is_of_code
        assert (bundle.find_outline(digest, where) is None) == is_of_code
        assert bundle.find_source(digest, where) is None

    assert bundle.find_source(digest, where) == source
    check()


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
    places = bundle.append([entry_of(digest, (None, (), ()), code, b'') for digest, code in codes])
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
