"""This machine to what plugline can do on it: a list of small checks, each a function of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import field
from pathlib import Path
from typing import Literal

import plugline
from plugline.frozen import frozen
from plugline.names import shell_word

State = Literal["ok", "missing", "wrong"]

_PROBE_SECONDS = 20  # to start an interpreter on a machine that is busy
_LANDLOCK_VERSIONS = {
    1: "files",
    2: "moves between folders",
    3: "cutting of files",
    4: "TCP",
    5: "devices",
    6: "signals and abstract sockets",
    7: "a log of denials",
}


@frozen(kw_only=True)
class Check:
    """What was found of one thing.

    Attributes:
        name: What was looked at, a word.
        state: ``"ok"``; ``"missing"`` where something that not everybody needs is not there; ``"wrong"``.
        said: What was found, a line.
        hint: What to do about it.
        more: Facts, for machines and for those who look closer.
    """

    name: str
    state: State
    said: str
    hint: str | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    def to_data(self) -> dict[str, object]:
        """Return it for JSON."""
        return {"name": self.name, "state": self.state, "said": self.said, "hint": self.hint, **self.more}


def look() -> list[Check]:
    """Run all checks, in the order in which they are told; none of them raises."""
    return [check() for check in CHECKS]


# ----------------------------------------------------------------------------- the interpreter and the machine


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    where = sys.executable or "part of another program"
    said = f"plugline {plugline.__version__} on Python {version}, {where}"
    if not sys.executable:
        hint = "set sys.executable to an interpreter: plugins cannot run in workers without one"
        return Check(name="python", state="wrong", said=said, hint=hint)
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        hint = "nobody has tried it so: PYTHON_GIL=1 turns the lock on; without it most edits need a restart of the program"
        return Check(name="python", state="wrong", said=f"{said}, without its global lock", hint=hint)
    return Check(name="python", state="ok", said=said)


_IN_PROCESS = "plugins, and runs, are in the program's own process here; workers take Linux or macOS, sandboxes Linux"


def _kernel() -> Check:
    from plugline.worker.machine import this_machine  # with what it leads to, for this command only

    if not hasattr(os, "uname"):
        return Check(name="kernel", state="missing", said=sys.platform, hint=_IN_PROCESS)
    name = os.uname()
    said = f"{name.sysname} {name.release} on {name.machine}"
    if this_machine() is None:
        hint = (
            "sandboxes take Linux on x86-64 or aarch64; isolation = 'process' contains crashes, and grants everything"
        )
        return Check(name="kernel", state="missing", said=said, hint=hint)
    if name.machine == "aarch64":
        said += " (the table of its system calls has never been tested)"
    return Check(name="kernel", state="ok", said=said)


def _landlock() -> Check:
    from plugline.worker.machine import this_machine

    version, machine = 0, this_machine()
    if machine is not None:
        # What it takes to ask is not there on every system.
        from plugline.worker.landlock import landlock_version

        version = landlock_version(machine)
    more = {"version": version}
    if not version:
        hint = "it takes Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and landlock in the kernel's lsm= option"
        return Check(
            name="landlock", state="missing", said="not there: no plugin can be sandboxed", hint=hint, more=more
        )
    holds = ", ".join(what for since, what in _LANDLOCK_VERSIONS.items() if since <= version)
    return Check(name="landlock", state="ok", said=f"version {version}: {holds}", more=more)


def _seccomp() -> Check:
    found = Path("/proc/sys/kernel/seccomp/actions_avail")
    try:
        actions = found.read_text(encoding="ascii").split()
    except OSError:
        hint = "it takes a kernel with CONFIG_SECCOMP_FILTER"
        return Check(name="seccomp", state="missing", said="not there: no plugin can be sandboxed", hint=hint)
    return Check(name="seccomp", state="ok", said="filters of system calls", more={"actions": actions})


def _user() -> Check:
    if not hasattr(os, "geteuid"):
        return Check(name="user", state="ok", said="has no number here")
    number = os.geteuid()
    if number == 0:
        said = "root: a worker in a sandbox gives up all that makes root different"
        hint = "plugins that are not isolated may do everything: better run as a user of its own"
        return Check(name="user", state="ok", said=said, hint=hint, more={"number": number})
    return Check(name="user", state="ok", said=f"number {number}, without privileges", more={"number": number})


# ----------------------------------------------------------------------------- the sandbox


def _sandbox() -> Check:
    """Put a process into a sandbox, and tell what it was denied."""
    if sys.platform == "win32":
        return Check(
            name="sandbox", state="missing", said="Windows has neither sandboxes nor workers", hint=_IN_PROCESS
        )
    if not sys.executable:
        return Check(name="sandbox", state="wrong", said="could not be tried: there is no interpreter to start")
    root = str(Path(plugline.__file__).parents[1])
    program = "import sys; sys.path.append(sys.argv[1]); from plugline.worker.probe import main; main()"
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-B", "-c", program, root],
            check=False,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_SECONDS,
            env={},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Check(name="sandbox", state="wrong", said=f"could not be tried: {error}")
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    if lines and lines[0][0] == "unavailable":
        return Check(name="sandbox", state="missing", said=lines[0][1], hint=lines[0][2])
    if done.returncode != 0 or not lines:
        last = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        hint = "this is a bug in plugline; please report it"
        return Check(name="sandbox", state="wrong", said=f"the probe ended with {done.returncode}: {last}", hint=hint)
    trials = {one[0]: one[1] for one in lines[1:]}
    held = [what for what, outcome in trials.items() if outcome == "denied"]
    said = f"put around a probe in {lines[0][1]} ms, which was denied {len(held)} of {len(trials)} things"
    more = {"milliseconds": float(lines[0][1]), "probe": trials}
    if len(held) < len(trials):
        hint = "what was not denied is a bug in plugline or in the kernel: please report it"
        return Check(name="sandbox", state="wrong", said=said, hint=hint, more=more)
    return Check(name="sandbox", state="ok", said=said, more=more)


# ----------------------------------------------------------------------------- what is installed beside it


def _installed(package: str, *, without: str, extra: str) -> Check:
    from importlib.metadata import PackageNotFoundError, version  # costs three bare interpreter starts

    try:
        said = version(package)
        __import__(package)
    except PackageNotFoundError:
        hint = f"pip install 'plugline[{extra}]'"
        return Check(name=package, state="missing", said=f"not installed: {without}", hint=hint)
    except Exception as error:  # noqa: BLE001 - whatever keeps a library from working
        hint = f"pip install --force-reinstall {package}"
        said = f"{said} cannot be imported, so that {without}: {error}"
        return Check(name=package, state="wrong", said=said, hint=hint)
    return Check(name=package, state="ok", said=said)


def _orjson() -> Check:
    return _installed("orjson", without="no pipeline can be run", extra="tool")


def _pyarrow() -> Check:
    return _installed("pyarrow", without="there is no Parquet, no Arrow and no step that takes tables", extra="tool")


def _msgspec() -> Check:
    return _installed("msgspec", without="no plugin can run in a worker", extra="isolation")


def _watchfiles() -> Check:
    return _installed(
        "watchfiles", without="changes of plugins are looked for by asking again and again", extra="watch"
    )


def _uv() -> Check:
    from plugline.isolation.environments import EnvironmentFailed, find_uv  # for this command only

    try:
        found = find_uv()
    except EnvironmentFailed:
        said = "not found: plugins with dependencies of their own cannot be given them"
        return Check(name="uv", state="missing", said=said, hint="pip install uv")
    try:
        done = subprocess.run(
            [found, "--version"],
            check=True,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return Check(name="uv", state="wrong", said=f"{found} cannot be run: {error}", hint="install it anew")
    return Check(name="uv", state="ok", said=f"{done.stdout.strip().removeprefix('uv ')}, {found}")


def _cache() -> Check:
    from plugline.discovery.cache import cache_folder  # for this command only

    path = cache_folder()
    if path is None and os.environ.get("PLUGLINE_CACHE") == "off":
        return Check(name="cache", state="ok", said="off, as PLUGLINE_CACHE says: every listing reads every plugin")
    if path is None:
        hint = "it has to be an absolute path of a folder that belongs to you and that nobody else may write: PLUGLINE_CACHE"
        said = "not in use: every listing reads every plugin, and every load compiles it"
        return Check(name="cache", state="missing", said=said, hint=hint)
    try:
        size = sum(one.stat().st_size for one in os.scandir(path) if one.is_file())
    except OSError as error:
        return Check(name="cache", state="wrong", said=f"{path} cannot be read: {error.strerror}", hint=f"rm -r {path}")
    if not os.access(path, os.W_OK | os.X_OK):
        said = f"{path} cannot be written: what is new is read at every listing and compiled at every load"
        hint = f"allow it: chmod u+rwx {shell_word(path)}; or name another folder: PLUGLINE_CACHE"
        return Check(name="cache", state="missing", said=said, hint=hint)
    return Check(name="cache", state="ok", said=f"{path}, {size / 2**20:.1f} MiB", more={"path": path, "bytes": size})


CHECKS: tuple[Callable[[], Check], ...] = (
    _python,
    _kernel,
    _landlock,
    _seccomp,
    _user,
    _sandbox,
    _orjson,
    _pyarrow,
    _msgspec,
    _uv,
    _watchfiles,
    _cache,
)
