"""What machine this is to the numbers of its system calls."""

import os
import sys

from plugline.typed import Mapping


class Machine:
    """Numbers of system calls, and the mark by which a seccomp filter tells whose numbers they are."""

    __slots__ = ("audit_arch", "name", "numbers")

    def __init__(self, name: str, audit_arch: int, numbers: Mapping[str, int]) -> None:
        self.name = name
        self.audit_arch = audit_arch
        self.numbers = numbers


def this_machine() -> Machine | None:
    """Return what this process runs on; ``None`` where its numbers are not known, as for a 32-bit process."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    name = os.uname().machine
    # Only the table that is needed is read.
    if name == "x86_64":
        from plugline.worker.syscalls_x86_64 import AUDIT_ARCH, NUMBERS  # noqa: PLC0415

        return Machine(name, AUDIT_ARCH, NUMBERS)
    if name == "aarch64" and sys.byteorder == "little":
        from plugline.worker.syscalls_aarch64 import AUDIT_ARCH, NUMBERS  # noqa: PLC0415

        return Machine(name, AUDIT_ARCH, NUMBERS)
    return None
