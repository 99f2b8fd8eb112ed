"""What machine this is to the numbers of its system calls."""

import os
import sys

from plugline.typed import Mapping

# Of the numbers from 424 on, which all machines have in common.
SINCE_424 = (
    "pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig "
    "fsmount fspick pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 "
    "mount_setattr quotactl_fd landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret "
    "process_mrelease futex_waitv set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake "
    "futex_wait futex_requeue statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal "
    "setxattrat getxattrat listxattrat removexattrat"
)


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
