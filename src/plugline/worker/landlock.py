"""Paths that may be read or written to the Landlock rules that hold a process to them.

Landlock is Linux's way for a process to give up rights to files for good, without privileges
(https://docs.kernel.org/userspace-api/landlock.html). Of each version of it what is there is used; version 1, of Linux
5.13, is enough, since the seccomp filter carries what later ones add.

Landlock says nothing of ``stat``, ``chdir``, ``chmod``, ``chown``, ``utime``, extended attributes and locks: the
filter denies those that change anything.
"""

import errno
import os

from plugline.typed import Iterable, Sequence
from plugline.worker.machine import Machine
from plugline.worker.native import call

_CREATE_RULESET_VERSION = 1
_RULE_PATH_BENEATH = 1

EXECUTE = 1 << 0
WRITE_FILE = 1 << 1
READ_FILE = 1 << 2
READ_DIR = 1 << 3
REMOVE_DIR = 1 << 4
REMOVE_FILE = 1 << 5
MAKE_CHAR = 1 << 6
MAKE_DIR = 1 << 7
MAKE_REG = 1 << 8
MAKE_SOCK = 1 << 9
MAKE_FIFO = 1 << 10
MAKE_BLOCK = 1 << 11
MAKE_SYM = 1 << 12
REFER = 1 << 13  # since version 2: to rename and link between folders, where no right is won by it
TRUNCATE = 1 << 14  # since version 3
IOCTL_DEV = 1 << 15  # since version 5

_NET_ALL = 0b11  # since version 4: bind and connect of TCP
_SCOPE_ALL = 0b11  # since version 6: abstract UNIX sockets, and signals

READ = READ_FILE | READ_DIR
# No MAKE_SYM, MAKE_FIFO, MAKE_SOCK: what is left behind in a folder must not lead, or hold up, whoever reads there next.
WRITE = READ | WRITE_FILE | TRUNCATE | MAKE_REG | MAKE_DIR | REMOVE_FILE | REMOVE_DIR | REFER
_FOR_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV


def landlock_version(machine: Machine | None) -> int:
    """Return the version of Landlock that the kernel has, 0 where it has none or may not be asked."""
    if machine is None:
        return 0
    try:
        return call("syscall", machine.numbers["landlock_create_ruleset"], 0, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return 0


def _handled(version: int) -> int:
    rights = (1 << 13) - 1
    for since, right in ((2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)):
        if version >= since:
            rights |= right
    return rights


class Ruleset:
    """Paths with the rights below them, which nobody is held to yet; what is under no rule is denied.

    Args:
        net: Whether TCP is left alone.

    Attributes:
        descriptor: By which the kernel knows it; the caller closes it.

    Raises:
        OSError: The kernel refused.
    """

    __slots__ = ("_handled", "_numbers", "descriptor")

    def __init__(self, machine: Machine, version: int, *, net: bool) -> None:
        self._numbers = machine.numbers
        self._handled = _handled(version)
        attributes = [self._handled, 0 if net or version < 4 else _NET_ALL, _SCOPE_ALL if version >= 6 else 0]
        size = 24 if version >= 6 else 16 if version >= 4 else 8
        self.descriptor = call("syscall", self._numbers["landlock_create_ruleset"], _words(attributes)[:size], size, 0)

    def add(self, rules: Iterable[tuple[str, int]]) -> None:
        """Add rights to paths.

        A path that is not there is passed over: less is granted. A path that is a link stands for what it leads to now.

        Raises:
            OSError: The kernel refused.
        """
        for path, rights in rules:
            self._add(path, rights & self._handled)

    def _add(self, path: str, rights: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # who may not look it up may not open it either
        try:
            rule = rights.to_bytes(8, "little") + descriptor.to_bytes(4, "little", signed=True)
            number = self._numbers["landlock_add_rule"]
            try:
                call("syscall", number, self.descriptor, _RULE_PATH_BENEATH, rule, 0)
            except OSError as error:
                # A right to folders, said of a file: asked only now, since nearly all rules are of folders.
                if error.errno != errno.EINVAL:
                    raise
                rule = (rights & _FOR_FILES).to_bytes(8, "little") + rule[8:]
                call("syscall", number, self.descriptor, _RULE_PATH_BENEATH, rule, 0)
        finally:
            os.close(descriptor)

    def restrict(self) -> None:
        """Hold the calling thread, and all that it starts, to the rules for good.

        Raises:
            OSError: The kernel refused.
        """
        call("syscall", self._numbers["landlock_restrict_self"], self.descriptor, 0)


def _words(numbers: Sequence[int]) -> bytes:
    return b"".join(number.to_bytes(8, "little") for number in numbers)
