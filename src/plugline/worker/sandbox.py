"""A process to one that can touch what it was granted, and nothing else, from here on and for good.

Nothing of this takes privileges, and root gets no more than others: Landlock holds files, a seccomp filter all other
calls, and limits what is used up. Once in force none of it can be undone by the process, nor by what it starts.

What holds after :func:`apply`; the tests refer to the numbers:

1. No path outside the grants can be opened, created, changed, removed, renamed or linked, whoever owns it.
2. No socket can be made (a pair of streams apart, which ``asyncio`` wakes itself by), without ``net``.
3. No process can be started without ``run``; no other process can be signalled, traced, read or joined, ever.
4. No descriptor is open but those kept, no environment variable is there but those granted.
5. No mode, owner, time or attribute of any file can be changed, and no link, FIFO, socket or device be made.
6. No namespace, mount, module, key, BPF program, io_uring or 32-bit call.
7. Memory, files, and where bounded processor time, end with an error or the process and not with the machine.
8. What ends it with its host, a lifeline or the signal of a parent's death, is not undone.
"""

import errno
import os
import sys

from plugline.errors import SandboxUnavailable
from plugline.typed import Iterable, Sequence
from plugline.worker import landlock, places, privileges, seccomp
from plugline.worker.limits import Sandbox
from plugline.worker.machine import Machine, this_machine
from plugline.worker.native import error_of

_OTHERWISE = "run it with isolation = 'process', which contains crashes but grants everything, or not at all"
_FIRST_LANDLOCK = 1


def apply(
    limits: Sandbox, *, keep_fds: Iterable[int], lifeline: int | None = None, path: Sequence[str] | None = None
) -> None:
    """Hold this process to limits, for good, and see that it is held.

    To be called in a process with one thread, before any of a plugin's code. The environment variables that are granted
    stay as they are. If it raises, the process may be held to a part only: it has to end.

    Args:
        limits: What it may touch; what is ``None`` is granted nothing.
        keep_fds: The descriptors that stay open. Of 0, 1 and 2 those not named are led to ``/dev/null``.
        lifeline: A descriptor by which the kernel ends this process with its host. It stays open, too, whatever the
            plugin does; what it starts, if it may, holds it as well. A socket: a pipe could be opened anew.
        path: What ``sys.path`` will be, where it is not yet: the folders of libraries on it can be read.

    Raises:
        SandboxUnavailable: The kernel, or this process, does not allow for it; it says what to do.
    """
    prepared = _prepared if _prepared is not None and _prepared.is_for(path) else Prepared(*_required(), path)
    _see_one_thread()
    machine, run = prepared.machine, bool(limits.run)
    # Made before anything is given up: from here on a failure leaves the process half held.
    program = seccomp.filter_bytes(machine, _grants(limits, prepared.version), lifeline)
    sys.dont_write_bytecode = True
    try:
        rules = prepared.rules(limits)
        kept = (*keep_fds, rules.descriptor)
        privileges.close_descriptors(kept if lifeline is None else (*kept, lifeline))
        if run and lifeline is not None:
            os.set_inheritable(lifeline, True)
        privileges.clear_environment(limits.env or ())
        privileges.set_bounds(
            memory_bytes=limits.memory_bytes, cpu_seconds=limits.cpu_seconds, write=bool(limits.write)
        )
        privileges.win_nothing()
        privileges.drop_capabilities(machine, run=run)
        rules.restrict()
        os.close(rules.descriptor)
        seccomp.install(machine, program)
    except OSError as error:
        what = f"the kernel refused a part of it: {error.strerror or error}"
        raise SandboxUnavailable(what, _OTHERWISE) from error
    _see_that_it_holds(machine, limits)
    if run:
        # From Python 3.13 on it would have the C library close what is open by calls that the lifeline forbids; the
        # switch is a documented one.
        import subprocess  # few plugins may start programs

        subprocess._USE_POSIX_SPAWN = False  # type: ignore[misc]  # noqa: SLF001 - as its documentation says
    global _applied  # noqa: PLW0603 - a process is put into one sandbox, once
    _applied = limits


_applied: Sandbox | None = None


def applied() -> Sandbox | None:
    """Return what this process is held to, ``None`` where it is in no sandbox."""
    return _applied


class Prepared:
    """What of a sandbox does not depend on whom it is for."""

    __slots__ = ("_known", "_path", "_reads", "_ruleset", "machine", "version")

    def __init__(self, machine: Machine, version: int, path: Sequence[str] | None) -> None:
        self.machine = machine
        self.version = version
        self._path = path
        self._reads = places.python_places(sys.path if path is None else path)
        self._ruleset: landlock.Ruleset | None = None
        self._known: list[tuple[str, tuple[int, int] | None]] = []

    def is_for(self, path: Sequence[str] | None) -> bool:
        """Whether it is for a process in which this is, or will be, ``sys.path``."""
        return path is not None and path == self._path

    def make_rules(self) -> None:
        """Make what every plugin gets that may neither use the network nor start programs. For one process only.

        Raises:
            OSError: The kernel refused.
        """
        ruleset = landlock.Ruleset(self.machine, self.version, net=False)
        self._known = [(path, _identity(path)) for path in self._reads if path not in places.SYSTEM]
        try:
            ruleset.add(self._rules(Sandbox(), net=False, run=False))
        except BaseException:
            os.close(ruleset.descriptor)
            raise
        self._ruleset = ruleset

    def drop_rules(self) -> None:
        """Let go of what :meth:`make_rules` made."""
        if self._ruleset is not None:
            os.close(self._ruleset.descriptor)
            self._ruleset = None

    def rules(self, limits: Sandbox) -> landlock.Ruleset:
        """Return the rules of a plugin, those that were made before if they will do.

        Raises:
            OSError: The kernel refused.
        """
        made, net, run = self._ruleset, bool(limits.net), bool(limits.run)
        # An environment that was made anew in between has other folders under the old names.
        if made is not None and not net and not run and all(_identity(path) == known for path, known in self._known):
            made.add(_own_rules(limits))
            return made
        ruleset = landlock.Ruleset(self.machine, self.version, net=net)
        ruleset.add(self._rules(limits, net=net, run=run))
        return ruleset

    def _rules(self, limits: Sandbox, *, net: bool, run: bool) -> Iterable[tuple[str, int]]:
        for path in (*self._reads, *(places.FOR_NET if net else ())):
            yield path, landlock.READ
        for path in places.WRITABLE_DEVICES:
            yield path, landlock.READ | landlock.WRITE_FILE
        yield from _own_rules(limits)
        if run:
            for path in (*places.FOR_RUNNING, *places.interpreters(), *self._reads):
                yield path, landlock.READ | landlock.EXECUTE


_prepared: Prepared | None = None


def prepare(path: Sequence[str]) -> None:
    """Do beforehand what :func:`apply` need not do in each process: for what forks workers.

    Raises:
        SandboxUnavailable: There is no sandbox to be had.
    """
    global _prepared  # noqa: PLW0603 - for the processes that are forked off this one
    _prepared = Prepared(*_required(), list(path))
    seccomp.filter_bytes(_prepared.machine, _grants(Sandbox(), _prepared.version), None)


def prepare_rules() -> None:
    """Do beforehand what :func:`apply` has to do in its own process, if :func:`prepare` was called.

    Raises:
        OSError: The kernel refused.
    """
    if _prepared is not None:
        _prepared.make_rules()


def rehearse() -> None:
    """Run what :func:`apply` will run, as far as it changes nothing."""
    if _prepared is not None:
        _see_one_thread()
        seccomp.filter_bytes(_prepared.machine, _grants(Sandbox(), _prepared.version), 0)
        privileges.clear_environment(())
        privileges.rehearse()


def drop_rules() -> None:
    """Let go of what :func:`prepare_rules` made, in a process that is to be in no sandbox after all."""
    if _prepared is not None:
        _prepared.drop_rules()


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _grants(limits: Sandbox, version: int) -> seccomp.Grants:
    return seccomp.Grants(
        write=bool(limits.write),
        net=bool(limits.net),
        run=bool(limits.run),
        scoped=version >= 6,
        truncating=version >= 3,
    )


def _required() -> tuple[Machine, int]:
    """Return the machine and its version of Landlock, or say what is missing."""
    machine = this_machine()
    if machine is None:
        what = f"a sandbox takes Linux on x86-64 or aarch64, this is {sys.platform} on {_machine_name()}"
        raise SandboxUnavailable(what, _OTHERWISE)
    version = landlock.landlock_version(machine)
    if version < _FIRST_LANDLOCK:
        what = "the kernel has no Landlock, or it is turned off"
        hint = f"Linux 5.13 is the first that has it; see the kernel's lsm= option. Otherwise {_OTHERWISE}"
        raise SandboxUnavailable(what, hint)
    return machine, version


def _see_one_thread() -> None:
    try:
        threads = os.stat("/proc/self/task").st_nlink - 2
    except OSError as error:
        what = f"/proc is not to be read: {error.strerror}"
        raise SandboxUnavailable(what, f"mount it. Otherwise {_OTHERWISE}") from error
    if threads != 1:
        what = f"the process has {threads} threads, and a sandbox is put around one"
        raise SandboxUnavailable(what, "this is a bug in plugline; please report it")


def _machine_name() -> str:
    return os.uname().machine if hasattr(os, "uname") else "another machine"


def _own_rules(limits: Sandbox) -> Iterable[tuple[str, int]]:
    for path in limits.read or ():
        yield path, landlock.READ
    for path in limits.write or ():
        yield path, landlock.WRITE


# ----------------------------------------------------------------------------- seeing that it holds

_AF_UNIX, _SOCK_DGRAM = 1, 2
_PR_GET_SECCOMP, _PR_GET_NO_NEW_PRIVS, _FILTERED = 21, 39, 2


def _see_that_it_holds(machine: Machine, limits: Sandbox) -> None:
    """Try what must fail, and let nobody in if it does not.

    Each is a call that would do no harm, and would fail in another way, if it were allowed.
    """
    failed = [what for what, held in _trials(machine, limits) if not held]
    if failed:
        what = f"it was put around the process and does not hold: {', '.join(failed)}"
        raise SandboxUnavailable(
            what, f"this is a bug in plugline or the kernel; please report it. Until then {_OTHERWISE}"
        )


def _trials(machine: Machine, limits: Sandbox) -> Iterable[tuple[str, bool]]:
    refused = (errno.EPERM, errno.EACCES)
    if not _below(limits.read, "/") and not _below(limits.write, "/"):
        yield "the root folder can be listed", _opening("/", os.O_RDONLY | os.O_DIRECTORY) == errno.EACCES
    if not _below(limits.write, "/dev/zero"):
        # A device that all may write to, and that is granted for reading.
        yield "a device can be written", _opening("/dev/zero", os.O_WRONLY) == errno.EACCES
    numbers = machine.numbers
    yield "a socket can be made", error_of("syscall", numbers["socket"], _AF_UNIX, _SOCK_DGRAM, 0) in refused
    if not limits.run:
        yield "a program can be started", error_of("syscall", numbers["execve"], 0, 0, 0) == errno.EPERM
    yield "a process can be traced", error_of("syscall", numbers["ptrace"], -1, 0, 0, 0) == errno.EPERM
    yield "a namespace can be left", error_of("syscall", numbers["unshare"], 0) == errno.EPERM


def _opening(path: str, flags: int) -> int:
    try:
        os.close(os.open(path, flags | os.O_CLOEXEC))
    except OSError as error:
        return error.errno or 0
    return 0


def _below(granted: Iterable[str] | None, path: str) -> bool:
    return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in granted or ())
