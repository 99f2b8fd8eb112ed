"""Numbers in names are those of plugline.worker.sandbox."""

import json
from pathlib import Path

import pytest

from plugline.worker.limits import Sandbox
from tests.sandboxed import needs_sandbox, run_sandboxed, said_sandboxed

pytestmark = [needs_sandbox, pytest.mark.slow]


def outcomes(code: str, limits: Sandbox | None = None, *, before: str = "") -> dict[str, object]:
    found = json.loads(said_sandboxed(code, limits, before=before))
    assert isinstance(found, dict)
    return found


def test_1_nothing_outside_the_grants_is_read_or_written(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret", encoding="utf-8")
    code = f"""
import os, json
secret = {str(secret)!r}
print(json.dumps({{
    "read": outcome(lambda: open(secret).read()),
    "write": outcome(lambda: open(secret, "w")),
    "append": outcome(lambda: open(secret, "a")),
    "make": outcome(lambda: open(secret + "2", "x")),
    "list": outcome(lambda: os.listdir(os.path.dirname(secret))),
    "truncate": outcome(lambda: os.truncate(secret, 0)),
    "cut while reading": outcome(lambda: os.open(secret, os.O_RDONLY | os.O_TRUNC)),
    "remove": outcome(lambda: os.remove(secret)),
    "rename": outcome(lambda: os.rename(secret, secret + "3")),
    "link": outcome(lambda: os.link(secret, secret + "4")),
    "symlink": outcome(lambda: os.symlink(secret, secret + "5")),
    "passwords": outcome(lambda: open("/etc/passwd")),
    "environment": outcome(lambda: open("/proc/self/environ")),
    "memory": outcome(lambda: open("/proc/self/mem", "rb")),
    "sysctl": outcome(lambda: open("/proc/sys/kernel/hostname", "w")),
}}))
"""
    assert set(outcomes(code).values()) == {"PermissionError"}
    assert secret.read_text(encoding="utf-8") == "s3cret"
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_1_what_is_granted_for_reading_is_read_and_no_more(tmp_path: Path) -> None:
    granted, other = tmp_path / "granted", tmp_path / "other"
    for folder in (granted, other):
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "file").write_text(folder.name, encoding="utf-8")
    (granted / "way out").symlink_to(other)
    code = f"""
import os, json
granted, other = {str(granted)!r}, {str(other)!r}
print(json.dumps({{
    "read": outcome(lambda: open(granted + "/deep/file").read()),
    "list": outcome(lambda: sorted(os.listdir(granted))),
    "write": outcome(lambda: open(granted + "/deep/file", "w")),
    "remove": outcome(lambda: os.remove(granted + "/deep/file")),
    "neighbour": outcome(lambda: open(other + "/deep/file").read()),
    "by a link": outcome(lambda: open(granted + "/way out/deep/file").read()),
    "by dots": outcome(lambda: open(granted + "/../other/deep/file").read()),
}}))
"""
    assert outcomes(code, Sandbox(read=[granted])) == {
        "read": "granted",
        "list": ["deep", "way out"],
        "write": "PermissionError",
        "remove": "PermissionError",
        "neighbour": "PermissionError",
        "by a link": "PermissionError",
        "by dots": "PermissionError",
    }


def test_1_what_is_granted_for_writing_is_written_and_read(tmp_path: Path) -> None:
    code = f"""
import os, json, sqlite3, tempfile
os.chdir({str(tmp_path)!r})
def databases():
    with sqlite3.connect("base") as base:
        base.execute("pragma user_version = 7")
        return base.execute("pragma user_version").fetchone()[0]
def temporary():
    with tempfile.TemporaryDirectory(dir=".") as folder, tempfile.NamedTemporaryFile(dir=folder) as file:
        file.write(b"more")
        file.seek(0)
        return file.read().decode()
def whole():
    with open("a", "w") as file:
        file.write("text")
    os.mkdir("folder")
    os.rename("a", "folder/b")
    with open("folder/b", "r+") as file:
        file.truncate(2)
        return file.read()
print(json.dumps({{"whole": outcome(whole), "database": outcome(databases), "temporary": outcome(temporary)}}))
"""
    assert outcomes(code, Sandbox(write=[tmp_path])) == {"whole": "te", "database": 7, "temporary": "more"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["base", "folder"]


def test_2_no_socket_is_made_but_a_pair_of_streams() -> None:
    code = """
import socket, json
families = {name: getattr(socket, name) for name in dir(socket) if name.startswith("AF_")}
made = {
    f"{name} {kind}": outcome(lambda: socket.socket(family, kind, 0) and "made")
    for name, family in families.items() for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)
}
made["pair of datagrams"] = outcome(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) and "made")
made["name"] = outcome(lambda: socket.create_connection(("127.0.0.1", 9)))
print(json.dumps(sorted(set(made.values()))))
one, other = socket.socketpair()
one.send(b"x")
print(json.dumps(other.recv(1).decode()), outcome(lambda: one.sendto(b"x", "\\0name")))
"""
    assert said_sandboxed(code) == '["PermissionError"]\n"x" PermissionError'


def test_3_no_process_is_started_signalled_traced_or_read() -> None:
    code = """
import os, json, subprocess, signal, ctypes, multiprocessing
libc = ctypes.CDLL(None, use_errno=True)
host = os.getppid()
def call(number, *arguments):
    if libc.syscall(number, *arguments) == -1:
        raise OSError(ctypes.get_errno(), "refused")
print(json.dumps({
    "fork": outcome(os.fork),
    "spawn": outcome(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "run": outcome(lambda: subprocess.run(["/bin/true"])),
    "exec": outcome(lambda: os.execv("/bin/true", ["true"])),
    "child": outcome(lambda: multiprocessing.get_context("spawn").Process(target=print).start()),
    "signal": outcome(lambda: os.kill(host, 0)),
    "group": outcome(lambda: os.kill(0, 0)),
    "all": outcome(lambda: os.kill(-1, 0)),
    "handle": outcome(lambda: os.pidfd_open(host)),
    "trace": outcome(lambda: call(101, 16, host, 0, 0)),
    "memory": outcome(lambda: call(310, host, 0, 0, 0, 0, 0)),
    "thread of another": outcome(lambda: call(234, host, host, 0)),
    "thread by number": outcome(lambda: call(200, host, 0)),
    "orphan": outcome(lambda: libc.prctl(1, 0) == 0 and "became one"),
}))
"""
    found = outcomes(code)
    assert found.pop("orphan") is False
    assert set(found.values()) == {"PermissionError"}


def test_3_a_signal_to_itself_arrives() -> None:
    code = """
import os, signal
signal.signal(signal.SIGUSR1, lambda *given: print("arrived"))
os.kill(os.getpid(), signal.SIGUSR1)
signal.raise_signal(signal.SIGUSR1)
"""
    assert said_sandboxed(code) == "arrived\narrived"


def test_4_the_environment_is_empty_to_its_memory() -> None:
    before = "import os; os.environ['SECRET_TOKEN'] = 'abc' + 'defg'"
    code = """
import os, ctypes, gc
libc = ctypes.CDLL(None)
libc.getenv.restype = ctypes.c_char_p
print(dict(os.environ), dict(os.environb), libc.getenv(b"SECRET_TOKEN"), libc.getenv(b"PATH"))
"""
    assert said_sandboxed(code, before=before) == "{} {} None None"


def test_4_granted_variables_are_there_and_no_others() -> None:
    environment = {"CITY": "Ulm", "SECRET": "abc", "HOME": "/somewhere"}
    done = run_sandboxed("import os; print(dict(os.environ))", Sandbox(env=["CITY", "ABSENT"]), environment=environment)
    assert done.stdout == "{'CITY': 'Ulm'}\n", done.stderr


def test_4_no_descriptor_is_open_but_those_kept(tmp_path: Path) -> None:
    before = f"""
import os
files = [os.open({str(tmp_path)!r}, os.O_RDONLY) for _ in range(5)]
os.dup2(files[0], 200)
kept = os.dup2(files[0], 77)
"""
    code = """
def is_open(number):
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
print([number for number in range(1000) if is_open(number)])
"""
    done = run_sandboxed(code, before=before, keep=(1, 77))
    assert done.stdout == "[0, 1, 2, 77]\n", done.stderr


def test_5_modes_owners_times_and_attributes_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch(mode=0o600)
    before = file.stat()
    code = f"""
import os, json
file = {str(file)!r}
handle = open(file, "r+")
print(json.dumps({{
    "mode": outcome(lambda: os.chmod(file, 0o777)),
    "mode by descriptor": outcome(lambda: os.fchmod(handle.fileno(), 0o777)),
    "owner": outcome(lambda: os.chown(file, os.getuid(), os.getgid())),
    "owner by descriptor": outcome(lambda: os.fchown(handle.fileno(), os.getuid(), -1)),
    "times": outcome(lambda: os.utime(file, (0, 0))),
    "symlink": outcome(lambda: os.symlink(file, file + "2")),
    "queue": outcome(lambda: os.mkfifo(file + "3")),
    "device": outcome(lambda: os.mknod(file + "4", 0o100600)),
    "set-id program": outcome(lambda: os.open(file + "5", os.O_CREAT | os.O_WRONLY, 0o4755)),
    "set-id program without a name": outcome(lambda: os.open(os.path.dirname(file), os.O_TMPFILE | os.O_WRONLY, 0o2755)),
}}))
"""
    assert set(outcomes(code, Sandbox(write=[tmp_path])).values()) == {"PermissionError"}
    assert file.stat() == before
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_7_memory_beyond_the_bound_is_refused() -> None:
    code = """
import mmap
big = outcome(lambda: len(bytearray(200 * 2**20)))
small = outcome(lambda: len(bytearray(20 * 2**20)))
shared = outcome(lambda: len(mmap.mmap(-1, 4 * 2**30)))
print(big, small, shared)
"""
    assert said_sandboxed(code, Sandbox(memory_bytes=100 * 2**20)) == "MemoryError 20971520 OSError"


def test_7_processor_time_beyond_the_bound_ends_the_process() -> None:
    done = run_sandboxed("while True: pass", Sandbox(cpu_seconds=0.1))
    assert done.returncode == -24  # SIGXCPU


def test_what_plugins_need_still_works() -> None:
    code = """
import asyncio, concurrent.futures, ctypes, decimal, locale, multiprocessing, sqlite3, ssl, threading, zoneinfo
import datetime, json, os
async def task():
    await asyncio.sleep(0)
    return await asyncio.to_thread(lambda: 2)
with concurrent.futures.ThreadPoolExecutor(4) as pool:
    threads = sum(pool.map(lambda n: n, range(4)))
print(json.dumps({
    "asyncio": asyncio.run(task()),
    "threads": threads,
    "sqlite3": sqlite3.connect(":memory:").execute("select 3").fetchone()[0],
    "zone": str(datetime.datetime(2024, 7, 1, tzinfo=zoneinfo.ZoneInfo("Europe/Berlin")).utcoffset()),
    "decimal": str(decimal.Decimal(1) / 3)[:5],
    "locale": locale.setlocale(locale.LC_ALL, "C"),
    "random": len(os.urandom(3)),
    "native": ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 5)(),
}))
"""
    assert outcomes(code) == {
        "asyncio": 2,
        "threads": 6,
        "sqlite3": 3,
        "zone": "2:00:00",
        "decimal": "0.333",
        "locale": "C",
        "random": 3,
        "native": 5,
    }


def test_pyarrow_is_imported_and_used_in_it() -> None:
    pytest.importorskip("pyarrow")
    code = "import pyarrow as pa; print(pa.table({'a': [1, 2, 2]}).group_by('a').aggregate([]).num_rows)"
    assert said_sandboxed(code) == "2"


def test_a_process_with_several_threads_is_refused() -> None:
    before = "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    done = run_sandboxed("print('here')", before=before)
    assert done.stdout == ""
    assert "no sandbox: the process has 2 threads" in done.stderr


OLD = "from plugline.worker import landlock; landlock.landlock_version = lambda machine: 1"


def test_on_the_first_kernel_with_landlock_the_filter_holds_what_later_ones_do(tmp_path: Path) -> None:
    given, written = tmp_path / "given", tmp_path / "written"
    for folder in (given, written):
        folder.mkdir()
        (folder / "file").write_text("text", encoding="utf-8")
    code = f"""
import os, json, signal, socket, sqlite3
os.chdir({str(written)!r})
given = {str(given / "file")!r}
def rename():
    os.rename("file", "other")
    return "renamed"
print(json.dumps({{
    "cut": outcome(lambda: os.truncate(given, 0)),
    "cut while reading": outcome(lambda: os.open(given, os.O_RDONLY | os.O_TRUNC)),
    "link": outcome(lambda: os.link(given, "linked")),
    "signal": outcome(lambda: os.kill(os.getppid(), 0)),
    "socket": outcome(lambda: socket.socket()),
    "device": outcome(lambda: os.open("/dev/zero", os.O_WRONLY)),
    "rename": outcome(rename),
    "database": outcome(lambda: sqlite3.connect("base").execute("pragma user_version").fetchone()[0]),
}}))
"""
    found = outcomes(code, Sandbox(read=[given], write=[written]), before=OLD)
    assert found.pop("rename") == "renamed"
    assert found.pop("database") == 0
    assert found.pop("link") in ("PermissionError", "OSError")  # EXDEV: no way between folders before version 2
    assert set(found.values()) == {"PermissionError"}
    assert (given / "file").read_text(encoding="utf-8") == "text"


def test_3_programs_that_may_be_started_are_in_the_same_sandbox(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret", encoding="utf-8")
    code = f"""
import json, os, subprocess, sys, time
def run(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or done.returncode
def killed():
    child = subprocess.Popen(["/bin/sleep", "100"])
    child.kill()
    return child.wait()
script = "import os; print(open('/proc/self/status').read()) if os.access('/proc/self/status', 0) else 0"
print(json.dumps({{
    "echo": outcome(lambda: run("/bin/sh", "-c", "echo hello | cat")),
    "secret": outcome(lambda: run("/bin/cat", {str(secret)!r})),
    "write": outcome(lambda: run("/bin/sh", "-c", "echo x > " + {str(secret)!r})),
    "python": outcome(lambda: run(sys.executable, "-I", "-S", "-c", "print(1 + 1)")),
    "kill": outcome(killed),
    "kill others": outcome(lambda: os.kill(os.getppid(), 0)),
    "session": outcome(lambda: subprocess.run(["/bin/true"], start_new_session=True)),
    "network": outcome(lambda: run(sys.executable, "-I", "-c", "import socket; socket.socket()")),
    "rights": outcome(lambda: run("/bin/sh", "-c", "chown 1 " + {str(tmp_path)!r} + " 2>&1 | grep -c permitted")),
}}))
"""
    assert outcomes(code, Sandbox(run=True)) == {
        "echo": "hello",
        "secret": 1,
        "write": 2,
        "python": "2",
        "kill": -9,
        "kill others": "PermissionError",
        "session": "PermissionError",
        "network": 1,
        "rights": "1",
    }
    assert secret.read_text(encoding="utf-8") == "s3cret"


def test_root_has_no_capabilities_left_also_in_what_it_starts() -> None:
    code = """
import ctypes
libc = ctypes.CDLL(None)
sets = (ctypes.c_uint32 * 6)()
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert libc.syscall(125, header, sets) == 0
bounding = [number for number in range(41) if libc.prctl(23, number) == 1]
import os
print(list(sets), bounding if os.getuid() == 0 else [])
"""
    assert said_sandboxed(code, Sandbox(run=True)) == "[0, 0, 0, 0, 0, 0] []"
    # Without programs there is no way back, so it need not be closed.
    assert said_sandboxed(code).startswith("[0, 0, 0, 0, 0, 0] ")


def test_2_sockets_that_may_be_opened_reach_others() -> None:
    code = """
import json, socket, threading
server = socket.create_server(("127.0.0.1", 0))
def answer():
    connection, _ = server.accept()
    connection.sendall(b"hello")
    connection.close()
thread = threading.Thread(target=answer)
thread.start()
def fetch():
    with socket.create_connection(server.getsockname(), 5) as connection:
        return connection.recv(5).decode()
print(json.dumps({
    "tcp": outcome(fetch),
    "udp": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", server.getsockname())),
    "name": outcome(lambda: socket.getaddrinfo("localhost", 80)[0][4][0]),
    "local": outcome(lambda: socket.socket(socket.AF_UNIX)),
    "packets": outcome(lambda: socket.socket(17, socket.SOCK_RAW)),
    "raw": outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)),
}))
thread.join()
"""
    found = outcomes(code, Sandbox(net=True))
    assert found.pop("name") in ("127.0.0.1", "::1")
    assert found == {
        "tcp": "hello",
        "udp": 1,
        "local": "PermissionError",
        "packets": "PermissionError",
        "raw": "PermissionError",
    }


def test_4_descriptors_are_not_taken_in_by_messages(tmp_path: Path) -> None:
    code = """
import array, socket
one, other = socket.socketpair()
print(
    outcome(lambda: one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [0]))])),
    outcome(lambda: other.recvmsg(1, 100)),
)
"""
    assert said_sandboxed(code) == "PermissionError PermissionError"


def test_a_sandbox_that_does_not_hold_lets_nobody_in() -> None:
    before = "from plugline.worker import seccomp; seccomp.install = lambda machine, program: None"
    done = run_sandboxed("print('here')", before=before)
    assert done.stdout == ""
    assert "it was put around the process and does not hold: a socket can be made" in done.stderr
    before = "from plugline.worker import landlock; landlock.Ruleset.restrict = lambda self: None"
    done = run_sandboxed("print('here')", before=before)
    assert done.stdout == ""
    assert "does not hold: the root folder can be listed, a device can be written" in done.stderr


def test_where_the_kernel_has_no_landlock_nothing_is_run_in_less() -> None:
    before = "from plugline.worker import landlock; landlock.landlock_version = lambda machine: 0"
    done = run_sandboxed("print('here')", before=before)
    assert done.stdout == ""
    assert "no sandbox: the kernel has no Landlock, or it is turned off\n  hint: Linux 5.13" in done.stderr
