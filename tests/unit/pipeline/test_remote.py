"""Addresses with a scheme, against real servers on this machine: one of the web, one that speaks S3, and memory."""

import gzip
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

import pytest

from plugline.formats.ndjson import Ndjson
from plugline.pipeline.config import config_from_flags
from plugline.pipeline.cutting import Input
from plugline.pipeline.plan import make_plan
from plugline.pipeline.remote import expand_address, has_scheme, put_at_address, without_secret
from plugline.pipeline.run import run_plan
from plugline.pipeline.streams import inner_suffix, open_source
from tests.builders import ndjson

RECORDS = b'{"n":1}\n{"n":2}\n'
_DEADLINE_SECONDS = 120.0  # the server for S3 imports much


@pytest.fixture(autouse=True)
def memory() -> Iterator[None]:
    """Empty fsspec's memory, which is the process's, before and after."""
    fsspec = pytest.importorskip("fsspec")
    store = fsspec.filesystem("memory").store
    store.clear()
    yield
    store.clear()


def put(tmp_path: Path, address: str, content: bytes) -> None:
    file = tmp_path / "aside"
    file.write_bytes(content)
    put_at_address(str(file), address)


def plugline(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run the command in a process of its own: a file system that is asynchronous keeps a thread for good."""
    return subprocess.run(
        [sys.executable, "-m", "plugline", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **(environment or {})},
    )


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("s3://bucket/key", True),
        ("memory://a", True),
        ("postgresql+psycopg://host/db", True),
        ("a/b.csv", False),
        ("://a", False),
        ("C:\\a", False),
        ("package:name/a.csv", False),
        ("-", False),
    ],
)
def test_an_address_begins_with_a_scheme(path: str, expected: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert has_scheme(path) is expected


def test_the_suffix_of_a_web_address_ends_where_its_query_begins() -> None:
    assert inner_suffix("https://example.org/orders.csv.gz?token=a.b") == ".csv"


def test_a_password_is_not_shown() -> None:
    assert without_secret("postgresql://me:s3cret@host:5432/db?a=b") == "postgresql://me:***@host:5432/db?a=b"
    assert without_secret("s3://bucket/a@b:c") == "s3://bucket/a@b:c"


def test_what_was_put_at_an_address_is_read_from_there(tmp_path: Path) -> None:
    put(tmp_path, "memory://orders/a.ndjson.gz", gzip.compress(RECORDS))
    with open_source("memory://orders/a.ndjson.gz") as stream:
        assert stream.read() == RECORDS


def test_a_folder_and_a_pattern_of_an_address_give_their_files_sorted(tmp_path: Path) -> None:
    for name in ("b.csv", "a.csv", ".hidden"):
        put(tmp_path, f"memory://folder/{name}", b"")
    expected = ["memory:///folder/a.csv", "memory:///folder/b.csv"]
    assert [
        path.replace("memory://folder", "memory:///folder") for path in expand_address("memory://folder")
    ] == expected
    assert [
        path.replace("memory://folder", "memory:///folder") for path in expand_address("memory://folder/*.csv")
    ] == expected


def test_an_address_without_a_file_says_so() -> None:
    with pytest.raises(OSError, match=r"memory://nothing/here\.csv"):
        expand_address("memory://nothing/here.csv")
    with pytest.raises(OSError, match="no file matches"):
        expand_address("memory://nothing/*.csv")


def test_a_file_at_an_address_that_is_another_is_another_input(tmp_path: Path) -> None:
    config = config_from_flags(source="memory://me:s3cret@host/a.ndjson", sink=str(tmp_path / "out.ndjson"))
    told = []
    for content in (RECORDS, RECORDS, RECORDS * 2):
        put(tmp_path, "memory://me:s3cret@host/a.ndjson", content)
        plan = make_plan(config)
        told.append(Input(plan, Ndjson(), streaming=True).identities())
    assert told[0] == told[1] != told[2]
    assert [*told[0]] == ["memory://me:***@host/a.ndjson"]


def test_an_unknown_scheme_is_a_wrong_argument() -> None:
    with pytest.raises(ValueError, match=r"'gopher://a/b' cannot be opened: Protocol not known: gopher"):
        expand_address("gopher://a/b")


def test_a_run_reads_from_one_address_and_writes_to_another(tmp_path: Path) -> None:
    put(tmp_path, "memory://in/a.ndjson", RECORDS)
    put(tmp_path, "memory://in/b.ndjson", b'{"n":3}\n{oops}\n')
    config = config_from_flags(source="memory://in", sink="memory://out/all.csv.zst")

    report = run_plan(make_plan(config))

    assert (report.records_out, report.failed) == (3, 1)
    with open_source("memory://out/all.csv.zst") as stream:
        assert stream.read() == b"n\n1\n2\n3\n"
    with open_source("memory://out/all.errors.ndjson") as stream:
        assert b"oops" in stream.read()


def test_the_web_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(RECORDS)
    done = plugline("run", str(tmp_path / "a.ndjson"), "-o", "https://example.org/a.csv")
    assert done.returncode == 2
    assert "C111" in done.stderr
    assert "only read" in done.stderr


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.slow
def test_a_run_reads_from_the_web(tmp_path: Path) -> None:
    (tmp_path / "orders.ndjson.gz").write_bytes(gzip.compress(RECORDS * 1000))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        base = f"http://127.0.0.1:{server.server_port}"
        done = plugline("run", f"{base}/orders.ndjson.gz", "-o", str(tmp_path / "out.ndjson"), "-q")
        missing = plugline("run", f"{base}/nothing.ndjson", "-o", str(tmp_path / "none.ndjson"), "-q")
    finally:
        server.shutdown()
        serving.join(_DEADLINE_SECONDS)
        server.server_close()
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "out.ndjson").read_bytes() == RECORDS * 1000
    assert missing.returncode == 4
    assert "R101" in missing.stderr
    assert "the server answered 404 (File not found)\n  hint: mend the address" in missing.stderr
    assert not (tmp_path / "none.ndjson").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("a.ndjson.zip", 100),
        ("a.xlsx", 100),
        ("a.parquet", 100),
        ("a.arrow", 100),
        ("a.ndjson", 5000),
        ("a.arrow", 5000),
    ],
)
def test_what_is_read_from_several_places_is_read_from_a_server_that_gives_files_whole(
    tmp_path: Path, name: str, size: int
) -> None:
    # As the server of Python's own library, which takes no ranges and does not say so.
    rows = [{"n": number, "text": "x" * size + str(number)} for number in range(2000)]
    (tmp_path / "rows.ndjson").write_bytes(ndjson(*rows))
    local = str(tmp_path / name)
    assert plugline("run", "-q", str(tmp_path / "rows.ndjson"), "-o", local).returncode == 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/{name}"
        done = plugline("run", "-q", address, "-o", str(tmp_path / "out.ndjson"))
    finally:
        server.shutdown()
        serving.join(_DEADLINE_SECONDS)
        server.server_close()
    assert (done.returncode, done.stderr) == (0, "")
    assert [json.loads(line) for line in (tmp_path / "out.ndjson").read_bytes().splitlines()] == rows


class _InParts(_Quiet):
    """Gives parts of files, as most servers do, and notes whether more was asked for."""

    asked: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        begin, _, end = str(self.headers["Range"]).removeprefix("bytes=").partition("-")
        content = Path(self.translate_path(self.path)).read_bytes()
        part = content[int(begin) : int(end) + 1]
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {begin}-{end}/{len(content)}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part)


@pytest.mark.slow
def test_of_a_server_that_gives_parts_no_file_is_asked_for_as_a_whole(tmp_path: Path) -> None:
    rows = [{"n": number, "text": os.urandom(3000).hex()} for number in range(2000)]
    (tmp_path / "rows.ndjson").write_bytes(ndjson(*rows))
    assert plugline("run", "-q", str(tmp_path / "rows.ndjson"), "-o", str(tmp_path / "a.parquet")).returncode == 0
    _InParts.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_InParts, directory=str(tmp_path)))
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/a.parquet"
        done = plugline("run", "-q", address, "--from-with", 'fields=["n"]', "-o", str(tmp_path / "out.ndjson"))
    finally:
        server.shutdown()
        serving.join(_DEADLINE_SECONDS)
        server.server_close()
    assert (done.returncode, done.stderr) == (0, "")
    assert len((tmp_path / "out.ndjson").read_bytes().splitlines()) == 2000
    assert _InParts.asked
    assert None not in _InParts.asked


@pytest.fixture
def s3() -> Iterator[Mapping[str, str]]:
    """Run a server that speaks S3, with the bucket ``lake``; gives the environment that leads to it."""
    if find_spec("moto") is None or find_spec("s3fs") is None:
        pytest.skip("needs moto and s3fs")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _DEADLINE_SECONDS
        while True:
            try:
                with urllib.request.urlopen(urllib.request.Request(f"{address}/lake", method="PUT"), timeout=30):  # noqa: S310
                    break
            except OSError:
                assert time.monotonic() < deadline, "the server for S3 does not answer"
                assert server.poll() is None, "the server for S3 has ended"
                time.sleep(0.05)
        yield {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "NO_PROXY": "127.0.0.1",
        }
    finally:
        server.kill()
        server.wait(_DEADLINE_SECONDS)


@pytest.mark.slow
def test_a_run_reads_from_s3_and_writes_to_it(tmp_path: Path, s3: Mapping[str, str]) -> None:
    (tmp_path / "orders.ndjson").write_bytes(RECORDS + b"{oops\n")
    up = plugline("run", str(tmp_path / "orders.ndjson"), "-o", "s3://lake/in/orders.csv.gz", environment=s3)
    assert (up.returncode, "s3://lake/in/orders.errors.ndjson" in up.stderr) == (1, True)
    down = plugline("run", "s3://lake/in/*.csv.gz", "-o", str(tmp_path / "back.csv"), "-q", environment=s3)
    assert (down.returncode, down.stderr) == (0, "")
    assert (tmp_path / "back.csv").read_bytes() == b"n\n1\n2\n"
    missing = plugline("run", "s3://nowhere/a.csv", "-o", str(tmp_path / "none.csv"), "-q", environment=s3)
    assert missing.returncode == 2
    assert "C109" in missing.stderr


@pytest.mark.parametrize("option", ["-o", "--dead-letters"])
def test_an_address_that_nothing_opens_is_told_before_the_first_record(tmp_path: Path, option: str) -> None:
    source = tmp_path / "orders.ndjson"
    source.write_bytes(RECORDS)
    places = {"-o": str(tmp_path / "out"), option: "nosuch://there/a"}
    told = plugline("run", str(source), "--to", "ndjson", *(part for both in places.items() for part in both))
    assert (told.returncode, told.stdout) == (2, "")
    assert "'nosuch://there/a' cannot be opened: Protocol not known: nosuch\n" in told.stderr


class _Counted(SimpleHTTPRequestHandler):
    """Says that nothing is there, and keeps count of who asks."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_error(404)

    do_HEAD = do_PUT = do_GET  # noqa: N815 - the base's names

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.mark.slow
def test_only_a_run_asks_a_store_for_its_bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("s3fs")
    monkeypatch.chdir(tmp_path)
    Path("orders.ndjson").write_bytes(RECORDS)
    tests = "[[tests]]\ninput = [{ n = 1 }]\noutput = [{ n = 1 }]\n"
    Path("p.toml").write_text(f'[source]\npath = "orders.ndjson"\n[sink]\npath = "s3://lake/a.ndjson"\n{tests}')
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Counted)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    there = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}", "NO_PROXY": "127.0.0.1"}
    environment = {**there, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "x"}
    try:
        for words in ("check", "preview", "test", "dev --times 1"):
            told = plugline(*words.split(), "p.toml", environment=environment)
            assert (words, told.returncode, _Counted.asked) == (words, 0, []), told.stderr
        assert plugline("run", "p.toml", environment=environment).returncode == 2
    finally:
        server.shutdown()
        serving.join(_DEADLINE_SECONDS)
        server.server_close()
    assert _Counted.asked


@pytest.mark.slow
@pytest.mark.parametrize("option", ["-o", "--dead-letters"])
def test_a_bucket_that_is_missing_is_told_before_the_first_record(
    tmp_path: Path, s3: Mapping[str, str], option: str
) -> None:
    places = {"-o": str(tmp_path / "out"), "--dead-letters": str(tmp_path / "bad"), option: "s3://nowhere/a"}
    source = tmp_path / "orders.ndjson"
    source.write_bytes(RECORDS)
    options = [part for both in places.items() for part in both]
    told = plugline("run", str(source), "--to", "ndjson", *options, environment=s3)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(
        f"error[C111] {'--output' if option == '-o' else option}: the bucket 's3://nowhere' does"
    )
    assert [*tmp_path.iterdir()] == [source]
