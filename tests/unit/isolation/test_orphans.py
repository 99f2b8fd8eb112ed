"""A plugin does not outlive its host, whatever it does about it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.sandboxed import needs_sandbox
from tests.workers import write_plugin

pytestmark = [needs_sandbox, pytest.mark.slow]

ROOT = Path(__file__).parents[3]

# Undoes whatever may end it with its host, by every way to get at a descriptor, and goes on for ever.
UNDOING = """
import array, fcntl, signal, socket, stat
for number in range(1, 65):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass

def shut(number):
    one = socket.socket(fileno=number)
    try:
        one.shutdown(2)
    finally:
        one.detach()

def undo(number):
    for action in (
        lambda: fcntl.fcntl(number, fcntl.F_SETFL, 0),
        lambda: fcntl.fcntl(number, fcntl.F_SETOWN, 0),
        lambda: fcntl.fcntl(number, 10, 0),
        lambda: fcntl.fcntl(number, fcntl.F_SETFD, fcntl.FD_CLOEXEC),
        lambda: fcntl.ioctl(number, 0x5452, bytes(4)),
        lambda: shut(number),
    ):
        try:
            action()
        except OSError:
            pass

def passed(number):
    one, other = socket.socketpair()
    one.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [number]))])
    return array.array("i", other.recvmsg(1, 100)[1][0][2][:4])[0]

def is_open(number):
    try:
        return os.fstat(number) is not None
    except OSError:
        return False

numbers = [number for number in range(3, 60) if is_open(number)]
kept = []
for number in numbers:
    undo(number)
    for copy in (
        lambda: os.dup(number),
        lambda: os.dup2(number, 150),
        lambda: fcntl.fcntl(number, fcntl.F_DUPFD, 200),
        lambda: passed(number),
        lambda: os.open(f"/proc/self/fd/{number}", os.O_RDWR),
        lambda: os.open(f"/proc/self/fd/{number}", os.O_WRONLY),
        lambda: os.open(f"/dev/fd/{number}", os.O_WRONLY | os.O_NONBLOCK),
    ):
        try:
            kept.append(copy())
            undo(kept[-1])
        except OSError:
            pass
for number in [*numbers, *kept]:
    try:
        lifeline = bool(fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ASYNC) or stat.S_ISSOCK(os.fstat(number).st_mode)
    except PermissionError:
        lifeline = True
    except OSError:
        lifeline = False
    # What the wire needs stays open: without it the host ends the worker by itself.
    for action in (lambda: os.dup2(1, number), lambda: os.close(number)) if lifeline else ():
        try:
            action()
        except OSError:
            pass
"""

HOST = """\
import sys, threading
sys.path.insert(0, {source!r})
from plugline import Host, Sandbox
def work():
    host = Host({folder!r}, interface=["transform", "describe"], isolation={level!r}, limits=Sandbox(run={run!r}, write=[{ready!r}]))
    plugin = host["subject"].load()
    print(plugin.transform({{}}), flush=True)
    plugin.transform({{"attack": 1}})
if {in_thread!r}:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
else:
    work()
"""


def start_host(folder: Path, ready: Path, *, in_thread: bool, run: bool) -> tuple["subprocess.Popen[str]", int]:
    """Return a host that hangs in a call of its plugin, and the worker's process."""
    program = HOST.format(
        source=str(ROOT / "src"), folder=str(folder), level="sandbox", ready=str(ready), in_thread=in_thread, run=run
    )
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    return host, int(host.stdout.readline())


def wait_until_gone(pids: set[int], seconds: float) -> set[int]:
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if is_running(pid)}) and time.monotonic() < deadline:
        time.sleep(0.01)
    return left


def is_running(pid: int) -> bool:
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
            not in "ZX"
        )
    except OSError:
        return False


def group_of(leader: int) -> set[int]:
    found = set()
    for one in Path("/proc").iterdir():
        if one.name.isdigit():
            try:
                fields = (one / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[2]) == leader:
                found.add(int(one.name))
    return found


@pytest.mark.parametrize("in_thread", [False, True])
@pytest.mark.parametrize("run", [False, True])
def test_a_sandboxed_plugin_cannot_undo_that_it_ends_with_its_host(
    tmp_path: Path, *, in_thread: bool, run: bool
) -> None:
    ready = tmp_path / "ready"
    ready.mkdir()
    programs = """
import subprocess
subprocess.Popen(["/bin/sleep", "600"])
subprocess.Popen(["/bin/sh", "-c", "trap '' 1 2 15; exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&-; sleep 600"], close_fds=False)
"""
    body = f"""
if 'attack' not in record:
    return os.getpid()
{UNDOING}
{programs if run else ""}
open({str(ready / "undone")!r}, 'w').close()
while True:
    time.sleep(1)
"""
    host, worker = start_host(write_plugin(tmp_path, body), ready, in_thread=in_thread, run=run)
    group: set[int] = set()
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and len(group) < (3 if run else 1):
            time.sleep(0.01)
            group = group_of(worker) if (ready / "undone").exists() else set()
        assert worker in group
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
        assert host.stdout is not None
        host.stdout.close()
    left = wait_until_gone(group, 5)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == set()


FORKING = """\
import os, sys, threading, time
sys.path.insert(0, {source!r})
from plugline import Host, Sandbox
host = Host({folder!r}, interface=["transform", "describe"], isolation={level!r}, preload={preload!r})
found = []
def work():
    found.append(host["subject"].load().transform({{}}))
thread = threading.Thread(target=work)
thread.start()
thread.join()
child = os.fork()
if child == 0:
    time.sleep(600)
print(child, *found[0], flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("level", ["process", "sandbox"])
@pytest.mark.parametrize("preload", [[], ["json"]])
def test_a_fork_of_the_host_keeps_no_worker_alive(tmp_path: Path, level: str, preload: list[str]) -> None:
    folder = str(write_plugin(tmp_path, "return os.getpid(), os.getppid()"))
    program = FORKING.format(source=str(ROOT / "src"), folder=folder, level=level, preload=preload)
    host = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert host.stdout is not None
    child, worker, parent = map(int, host.stdout.readline().split())
    try:
        assert (parent != host.pid) == bool(preload)  # then it is the zygote's
        host.send_signal(signal.SIGKILL)
        host.wait()
        assert wait_until_gone({worker, parent}, 5) == set()
        assert is_running(child)
    finally:
        os.kill(child, signal.SIGKILL)
        host.stdout.close()


CALLING_IN_A_FORK = """\
import os, sys
sys.path.insert(0, {source!r})
from plugline import Host
with Host({folder!r}, interface=["transform", "describe"], isolation="process") as host:
    plugin = host["subject"].load()
    plugin.transform({{}})
    child = os.fork()
    if child == 0:
        plugin.transform({{}})
        host.close()
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_that_starts_a_worker_of_its_own_warns_of_nothing(tmp_path: Path) -> None:
    program = CALLING_IN_A_FORK.format(source=str(ROOT / "src"), folder=str(write_plugin(tmp_path, "return 1")))
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
