"""Runs the plugins of tests/plugins/hostile in a host, and says what did not hold.

As a program: ``python -m tests.hostile --level sandbox --audit off NAME…`` runs plugins one after the other in one
host process and prints a line of JSON for each: its name, what went wrong, what became of the record, and seconds.
Root may say ``--user nobody``. With ``--control`` they run in a worker without a sandbox instead, to see that what they try
can be done at all: in namespaces of their own, in which they are root, so that it is done to nothing but these.

Each plugin says of itself, in constants that are read without running it: ``TRIES`` what it is about, ``MUST`` what has
to become of the record that it attacks with (see :data:`EXPECTED`), ``LEVELS`` where that holds, ``LIMITS`` and
``GRANTS`` what the host gives it, ``OTHERS = "any"`` that what it breaks is seen later. Whatever it does: the other records are answered, nothing of the host is read, changed or
left, nothing reaches the sockets beside it, and the blame is on the plugin.
"""

import argparse
import ast
import contextlib
import ctypes
import fcntl
import json
import logging
import os
import resource
import secrets
import shutil
import socket
import stat
import struct
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, cast

from plugline import Host, Policy
from plugline.errors import (
    LoadError,
    PluginDeclined,
    PluginError,
    PluginQuarantined,
    PluginRejected,
    WorkerFailed,
    WorkerTimedOut,
)
from plugline.worker.limits import Sandbox

ROOT = Path(__file__).parents[1]
PLUGINS = ROOT / "tests" / "plugins" / "hostile"
ATTACKED = 2
RECORDS = 5
_MOST_SECONDS = 40.0
_OVERSHOOT_SECONDS = 5.0  # a machine that others use as well may stand still for some seconds
_FAIR = {"NameError", "TypeError", "AttributeError", "SyntaxError", "ImportError", "UnboundLocalError"}

Level = Literal["process", "sandbox"]
Audit = Literal["off", "warn", "refuse"]
NOBODY = 65534
# What :func:`main` exits with where this process cannot become that user and still read what it runs (sysexits.h).
CANNOT_BECOME = 77
_LIBC = ctypes.CDLL(None, use_errno=True)
_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_PRIVATE = 0x44000  # MS_REC | MS_PRIVATE
_BIND = 0x5000  # MS_REC | MS_BIND
_SET_DUMPABLE = 4  # PR_SET_DUMPABLE
_NEW_ALL = (
    0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
)  # mounts, UTS, IPC, user, PID, net


class Claims:
    """What a hostile plugin says of itself."""

    def __init__(self, name: str) -> None:
        source = (PLUGINS / f"{name}.py").read_text(encoding="utf-8")
        found: dict[str, object] = {}
        for node in ast.parse(source).body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
                with contextlib.suppress(ValueError):
                    found[node.targets[0].id] = ast.literal_eval(node.value)
        self.name = name
        self.tries = str(found["TRIES"])
        self.must = str(found["MUST"])
        self.levels = cast("tuple[Level, ...]", found["LEVELS"])
        self.others = str(found.get("OTHERS", "answer"))
        self.limits = cast("dict[str, float]", found.get("LIMITS", {}))
        self.grants = cast("dict[str, list[str]]", found.get("GRANTS", {}))

    @property
    def timeout_seconds(self) -> float:
        return self.limits.get("timeout_seconds", 20)


def is_for_control(claims: Claims) -> bool:
    """Whether a plugin tries to get at something that only the sandbox keeps from it, and does not only use things up."""
    return claims.levels == ("sandbox",) and claims.tries not in ("using up", "programs that are granted")


def names() -> list[str]:
    return sorted(path.stem for path in PLUGINS.glob("*.py"))


class Arena:
    """A folder with what a plugin must not get at, and sockets that must stay silent."""

    def __init__(self, name: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="arena-"))
        self.token = f"CANARY_{secrets.token_hex(8)}"
        self.canary = self.folder / "canary.txt"
        self.outside = self.folder / "outside"
        self.granted = self.folder / "granted"
        self.plugins = self.folder / "plugins"
        for folder in (self.outside, self.granted, self.plugins):
            folder.mkdir()
        self.canary.write_text(self.token, encoding="utf-8")
        (self.outside / "canary_module.py").write_text(f"SECRET = {self.token!r}\n", encoding="utf-8")
        (self.granted / "given.txt").write_text("given", encoding="utf-8")
        shutil.copy(PLUGINS / f"{name}.py", self.plugins)
        neighbour = "def transform(record):\n    return record\n\n\ndef describe():\n    return 'neighbour'\n"
        (self.plugins / "neighbour.py").write_text(neighbour, encoding="utf-8")
        self.abstract = f"plugline-{secrets.token_hex(4)}"
        self.sockets = self._listen()
        self.before = self.state()

    def _listen(self) -> list[socket.socket]:
        stream = socket.create_server(("127.0.0.1", 0))
        self.port = stream.getsockname()[1]
        datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagram.bind(("127.0.0.1", self.port))
        local = socket.socket(socket.AF_UNIX)
        local.bind(str(self.folder / "socket"))
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(f"\0{self.abstract}")
        sockets = [stream, datagram, local, abstract]
        for one in sockets:
            one.setblocking(False)
        for one in (stream, local, abstract):
            one.listen()
        return sockets

    def state(self) -> dict[str, object]:
        """Return all that must stay as it is."""
        found: dict[str, object] = {"canary": self.canary.read_text(encoding="utf-8")}
        for path in sorted(
            [self.canary, *self.outside.rglob("*"), *self.plugins.rglob("*"), self.outside, self.plugins]
        ):
            status = path.lstat()
            found[str(path)] = (status.st_mode, status.st_uid, status.st_size, status.st_mtime_ns, status.st_nlink)
        return found

    def record(self, number: int) -> dict[str, object]:
        return {
            "n": number,
            "attack": number == ATTACKED,
            "canary": str(self.canary),
            "outside": str(self.outside),
            "granted": str(self.granted),
            "host": os.getpid(),
            "port": self.port,
            "socket": str(self.folder / "socket"),
            "abstract": self.abstract,
        }

    def problems(self) -> Iterator[str]:
        """Yield what a plugin changed or left, or whom it reached."""
        after = self.state()
        for key in self.before.keys() | after.keys():
            if self.before.get(key) != after.get(key):
                yield f"changed {key}: {self.before.get(key)} to {after.get(key)}"
        for path in self.granted.rglob("*"):
            mode = path.lstat().st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) or mode & 0o6000:
                yield f"left {path} with mode {mode:o}"
        for left in ("/tmp/hostile-was-here", "/dev/shm/hostile-was-here"):  # noqa: S108 - what the plugins try to make
            if os.path.lexists(left):
                yield f"left {left}"
                with contextlib.suppress(OSError):  # so that the next plugin is not blamed for it
                    os.unlink(left)
        for one in self.sockets:
            with contextlib.suppress(BlockingIOError):
                if one.type == socket.SOCK_DGRAM:
                    yield f"a datagram arrived: {one.recv(99)!r}"
                else:
                    yield f"a connection arrived from {one.accept()[1]!r}"

    def close(self) -> None:
        for one in self.sockets:
            one.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


def reap(pids: set[int]) -> set[int]:
    """Wait for those of some processes that have ended, and return the others.

    This process stands in for init: what a worker started becomes its child.
    """
    running = set()
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            if os.waitpid(pid, os.WNOHANG)[0] == 0:
                running.add(pid)
    return running


def descriptors() -> set[str]:
    found = set()
    for one in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add(f"{one} {os.readlink(f'/proc/self/fd/{one}')}")
    return found


class _Kept(logging.Handler):
    """Keeps what was logged, formatted as a host would."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if len(self.lines) < 1000:
            self.lines.append(self.format(record))


class Trial:
    """One plugin in one host."""

    def __init__(self, name: str, level: Level, audit: Audit, *, control: bool = False) -> None:
        self.claims = Claims(name)
        self.level = level
        self.control = control
        self.audit = audit
        self.problems: list[str] = []
        self.outcome = ""

    def run(self) -> None:
        children_before, descriptors_before, threads_before = children(), descriptors(), threading.active_count()
        begin = time.monotonic()
        arena = Arena(self.claims.name)
        try:
            self._run_in(arena)
            if time.monotonic() - begin > _MOST_SECONDS:
                self.problems.append(f"took {time.monotonic() - begin:.1f} s")
            self.problems += arena.problems()
        finally:
            arena.close()
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and (
            reap(children() - children_before)
            or descriptors() - descriptors_before
            or threading.active_count() > threads_before
        ):
            time.sleep(0.005)
        for what, more in (
            ("processes", children() - children_before),
            ("descriptors", descriptors() - descriptors_before),
            ("threads", set(range(threads_before, threading.active_count()))),
        ):
            if more:
                self.problems.append(f"left {what}: {sorted(map(str, more))}")

    def _run_in(self, arena: Arena) -> None:
        claims = self.claims
        grants = {key: [str(arena.folder / path) for path in paths] for key, paths in claims.grants.items()}
        limits = Sandbox(**{"timeout_seconds": 20, **claims.limits, **grants})  # type: ignore[arg-type]
        os.environ["CANARY_TOKEN"] = arena.token
        kept = _Kept()
        logging.getLogger().addHandler(kept)
        said = ""
        try:
            with Host(
                str(arena.plugins),
                interface=["transform", "describe"],
                isolation=self.level,
                limits=limits,
                policy=Policy(audit=self.audit, lock=None),
            ) as host:
                said = self._use(host, arena)
        finally:
            logging.getLogger().removeHandler(kept)
            del os.environ["CANARY_TOKEN"]
        if (self.level == "sandbox" or self.control) and arena.token in said:
            self.problems.append("the token of the host is in what came of it")
        if any(character in line for line in kept.lines for character in "\x1b\x00"):
            self.problems.append("what it printed would move a cursor")

    def _use(self, host: "Host[object]", arena: Arena) -> str:
        name, said = self.claims.name, list[str]()
        neighbour = host["neighbour"].load()
        plugin = self._load(host, said)
        if plugin is not None:
            with contextlib.suppress(PluginError):
                plugin.describe()  # type: ignore[attr-defined]
            numbers = [*range(RECORDS), *([ATTACKED] * 4 if self.claims.must == "quarantine" else [])]
            said += [self._call(plugin, arena.record(number)) for number in numbers]
            if self.claims.must == "quarantine" and "quarantine" not in said[-1].lower():
                self.problems.append(f"was not set aside: {said[-1]}")
        record = arena.record(0)
        if neighbour.transform(record) != record:  # type: ignore[attr-defined]
            self.problems.append(f"the neighbour of {name} does not work any more")
        return "\n".join(said)

    def _load(self, host: "Host[object]", said: list[str]) -> object:
        claims = self.claims
        try:
            plugin = host[claims.name].load()
        except (LoadError, PluginDeclined, PluginRejected) as error:
            self.outcome = f"unloadable: {type(error).__name__}"
            said.append(str(error))
            if error.plugin != claims.name:
                self.problems.append(f"the blame is on {error.plugin!r}")
            seen_by_audit = self.audit == "refuse" and isinstance(error, PluginRejected)
            if claims.must not in ("unloadable", "any") and not seen_by_audit:
                self.problems.append(f"could not be loaded: {error}")
            return None
        if claims.must == "unloadable":
            self.problems.append("was loaded")
        return plugin

    def _call(self, plugin: object, record: dict[str, object]) -> str:
        attacked = bool(record["attack"])
        begin = time.monotonic()
        try:
            found = plugin.transform(dict(record))  # type: ignore[attr-defined]
        except BaseException as error:  # noqa: BLE001 - what it may be is judged below
            text = "".join(traceback.format_exception(error))
            self._judge_error(error, time.monotonic() - begin, attacked=attacked)
            return text[:200000]
        if attacked:
            self.outcome = f"answered: {repr(found)[:60]}"
            if self.claims.must not in ("answer", "any"):
                self.problems.append(f"the attack was answered: {repr(found)[:200]}")
            if isinstance(found, dict) and found.get("taken"):
                self.problems.append(f"the attack was successful: {repr(found)[:200]}")
        elif found != record:
            self.problems.append(f"record {record['n']} was answered with {repr(found)[:200]}")
        return repr(found)[:200000]

    def _judge_error(self, error: BaseException, seconds: float, *, attacked: bool) -> None:
        claims = self.claims
        if not attacked and claims.others == "any":
            attacked = True
        if not attacked:
            self.problems.append(f"a record that was no attack failed: {str(error)[:300]}")
            return
        kind = getattr(error, "kind", "")
        self.outcome = f"{type(error).__name__} {kind}: {str(error)[:60]}"
        if not isinstance(error, PluginError) or error.plugin != claims.name:
            self.problems.append(f"the blame is not on it: {error!r:.300}")
        if not str(error).isprintable() and not str(error).replace("\n", "").isprintable():
            self.problems.append(f"its message would move a cursor: {str(error)!r:.300}")
        wanted = {
            "fail": not isinstance(error, WorkerFailed),
            "die": isinstance(error, WorkerFailed) and not isinstance(error, WorkerTimedOut),
            "time out": isinstance(error, WorkerTimedOut),
            "answer": False,
            "any": True,
            "quarantine": isinstance(error, (WorkerFailed, PluginQuarantined)),
            "unloadable": False,
        }[claims.must]
        if not wanted:
            self.problems.append(
                f"its record should {claims.must}, and became {type(error).__name__}: {str(error)[:300]}"
            )
        if claims.must == "fail" and claims.tries not in ("values", "exceptions") and kind in _FAIR:
            self.problems.append(f"the attack itself is broken: {str(error)[:300]}")
        if isinstance(error, WorkerTimedOut) and seconds > claims.timeout_seconds + _OVERSHOOT_SECONDS:
            self.problems.append(f"was stopped after {seconds:.2f} s, {claims.timeout_seconds} were allowed")


# ----------------------------------------------------------------------------- as a program


def become(user: int) -> None:
    """Be another user, who can still read the interpreter and this tree, wherever they lie.

    A folder on the way to them that only root may enter is covered, in a mount namespace of this process's own, by one
    that everybody may enter and in which nothing stands but what is needed.

    Raises:
        OSError: This process may not mount.
    """
    needed = [Path(sys.base_prefix), Path(sys.prefix), ROOT]
    private = False
    while closed := _first_closed(needed):
        if not private:
            _must(_LIBC.unshare(_NEW_MOUNTS), "no mount namespace")
            _must(_LIBC.mount(b"none", b"/", None, _PRIVATE, None), "the mounts stay shared")
            private = True
        _cover(closed, {path.relative_to(closed).parts[0] for path in needed if path.is_relative_to(closed)})
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    # A process that changed its user is closed to itself until it says otherwise.
    _LIBC.prctl(_SET_DUMPABLE, 1, 0, 0, 0)
    os.environ["HOME"] = "/nonexistent"


def _first_closed(needed: list[Path]) -> Path | None:
    for path in needed:
        for folder in reversed(path.parents):
            if not folder.stat().st_mode & 0o001:
                return folder
    return None


def _cover(folder: Path, names: set[str]) -> None:
    """Mount an open folder over ``folder`` that has nothing but ``names`` in it."""
    beneath = os.open(folder, os.O_PATH)  # reaches what lies there when it is covered
    at = os.fsencode(folder)
    _must(_LIBC.mount(b"tmpfs", at, b"tmpfs", 0, b"mode=755"), f"cannot mount over {folder}")
    for name in names:
        (folder / name).mkdir()
        source = os.fsencode(f"/proc/self/fd/{beneath}/{name}")
        _must(_LIBC.mount(source, os.fsencode(folder / name), None, _BIND, None), f"cannot mount {folder / name}")
    os.close(beneath)


def _must(failed: int, what: str) -> None:
    if failed:
        raise OSError(ctypes.get_errno(), what)


def set_apart() -> int | None:
    """Be root of namespaces of one's own, and process 1 of them. Returns the exit code of that process to its parent.

    Raises:
        OSError: They cannot be made.
    """
    user, group = os.getuid(), os.getgid()
    _must(_LIBC.unshare(_NEW_ALL), "no namespaces")
    for name, content in (("setgroups", "deny"), ("uid_map", f"0 {user} 1"), ("gid_map", f"0 {group} 1")):
        Path(f"/proc/self/{name}").write_text(content, encoding="ascii")
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    _LIBC.prctl(1, 9, 0, 0, 0)  # PR_SET_PDEATHSIG: process 1 takes all others along
    _must(_LIBC.mount(b"none", b"/", None, _PRIVATE, None), "the mounts stay shared")
    _must(_LIBC.mount(b"proc", b"/proc", b"proc", 0, None), "no /proc")
    _must(_LIBC.mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, b"mode=1777"), "no /dev/shm")
    with socket.socket() as one:  # lo, which is down in a new namespace: SIOCSIFFLAGS with IFF_UP
        fcntl.ioctl(one, 0x8914, struct.pack("16sH14x", b"lo", 1))
    resource.setrlimit(resource.RLIMIT_NPROC, (400, 400))
    return None


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--control", action="store_true")
    parser.add_argument("--level", choices=("process", "sandbox"), default="sandbox")
    parser.add_argument("--audit", choices=("off", "warn", "refuse"), default="off")
    parser.add_argument("--user", choices=("self", "nobody"), default="self")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger().addHandler(logging.NullHandler())
    if given.user == "nobody":
        try:
            become(NOBODY)
        except OSError as error:
            print(f"cannot become another user: {error}", file=sys.stderr)  # noqa: T201 - a program
            return CANNOT_BECOME
    if given.control:
        try:
            code = set_apart()
        except OSError as error:
            print(f"cannot be set apart: {error}", file=sys.stderr)  # noqa: T201 - a program
            return CANNOT_BECOME
        if code is not None:
            return code
    # Whatever outlives its parent becomes a child of this process, and so is seen.
    _LIBC.prctl(36, 1, 0, 0, 0)
    failed = False
    for name in given.names or names():
        claims = Claims(name)
        if not (is_for_control(claims) if given.control else given.level in claims.levels):
            continue
        print(json.dumps({"begin": name}), flush=True)  # noqa: T201 - a program
        trial = Trial(name, "process" if given.control else given.level, given.audit, control=given.control)
        begin = time.monotonic()
        try:
            trial.run()
        except BaseException:  # noqa: BLE001 - whatever a plugin does to its host is what is told
            trial.problems.append(f"the host raised: {traceback.format_exc()[-1500:]}")
        failed = failed or bool(trial.problems)
        told = {"name": name, "problems": trial.problems, "outcome": trial.outcome}
        print(json.dumps({**told, "seconds": round(time.monotonic() - begin, 3)}), flush=True)  # noqa: T201 - a program
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
