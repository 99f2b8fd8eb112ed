"""The filter is run here as the kernel runs it, over calls that no test could make for real."""

import errno
import re
from pathlib import Path

import pytest

from plugline.worker.machine import Machine, machine_of
from plugline.worker.seccomp import Block, Grants, filter_bytes, filter_program

X86_64, AARCH64 = filter(None, map(machine_of, ("x86_64", "aarch64")))
MACHINES = pytest.mark.parametrize("machine", [X86_64, AARCH64], ids=lambda machine: machine.name)
PID, LIFELINE = 4242, 9
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000


def grants(*, write: bool = False, net: bool = False, run: bool = False, scoped: bool = True) -> Grants:
    return Grants(write=write, net=net, run=run, scoped=scoped, truncating=True)


def run_filter(program: Block, arch: int, number: int, arguments: tuple[int, ...] = ()) -> int:
    """Return what a filter says of a call, as the kernel's own machine for filters would."""
    content = number.to_bytes(4, "little") + arch.to_bytes(4, "little") + bytes(8)
    for argument in (*arguments, *[0] * (6 - len(arguments))):
        content += (argument & (2**64 - 1)).to_bytes(8, "little")
    at, value = 0, 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x20:
            value = int.from_bytes(content[constant : constant + 4], "little")
        elif code == 0x54:
            value &= constant
        elif code == 0x05:
            at += constant
        elif code in (0x15, 0x35, 0x45):
            passed = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += if_true if passed else if_false
        else:
            assert code == 0x06
            return constant


def verdict(machine: Machine, name: str, *arguments: int, granted: Grants | None = None) -> int:
    """Return 0 where a call is allowed, else the number of the error."""
    program = filter_program(machine, granted or grants(), PID, LIFELINE)
    found = run_filter(program, machine.audit_arch, machine.numbers[name], arguments)
    assert found == ALLOW or found & 0xFFFF0000 == ERROR
    return 0 if found == ALLOW else found & 0xFFFF


@MACHINES
def test_jumps_stay_in_the_filter_and_it_is_short_enough(machine: Machine) -> None:
    program = filter_program(machine, grants(write=True, net=True, run=True), PID, LIFELINE)
    assert len(program) < 4096
    for at, (code, if_true, if_false, constant) in enumerate(program):
        jumps = (if_true, if_false) if code in (0x15, 0x35, 0x45) else (constant,) if code == 0x05 else ()
        assert all(jump >= 0 and at + 1 + jump < len(program) for jump in jumps)
        assert max(if_true, if_false) < 256
    assert program[-1][0] == 0x06


@MACHINES
def test_calls_of_another_machine_end_the_process(machine: Machine) -> None:
    program = filter_program(machine, grants(), PID, LIFELINE)
    other = AARCH64 if machine is X86_64 else X86_64
    for arch in (other.audit_arch, 0x40000003, 0):
        assert run_filter(program, arch, machine.numbers["read"]) == KILL


def test_calls_by_the_numbers_of_x32_are_refused() -> None:
    program = filter_program(X86_64, grants(), PID, LIFELINE)
    for number in (0x40000000, 0x40000000 + X86_64.numbers["read"], 0xFFFFFFFF):
        assert run_filter(program, X86_64.audit_arch, number) == ERROR | errno.ENOSYS


@MACHINES
def test_what_later_kernels_add_is_refused_as_missing(machine: Machine) -> None:
    program = filter_program(machine, grants(write=True, net=True, run=True), PID, LIFELINE)
    for number in range(463, 2000):
        assert run_filter(program, machine.audit_arch, number) == ERROR | errno.ENOSYS


@MACHINES
@pytest.mark.parametrize(
    "name",
    [
        "ptrace", "process_vm_readv", "process_vm_writev", "kcmp", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "tkill",
        "rt_sigqueueinfo", "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "bpf", "perf_event_open",
        "userfaultfd", "keyctl", "add_key", "request_key", "init_module", "finit_module", "delete_module", "reboot",
        "kexec_load", "swapon", "acct", "quotactl", "syslog", "sethostname", "settimeofday", "clock_settime", "setuid", "setgid",
        "setgroups", "setresuid", "capset", "seccomp", "landlock_create_ruleset", "memfd_create", "shmget", "msgget", "semget",
        "mq_open", "execveat", "name_to_handle_at", "open_by_handle_at", "inotify_add_watch", "fanotify_init", "fchmod",
        "fchmodat", "fchownat", "utimensat", "mknodat", "symlinkat", "splice", "vmsplice", "tee", "setsid", "setpgid",
        "setpriority", "sched_setscheduler", "ioprio_set", "mincore", "recvmsg", "sync", "mlockall", "io_submit",
    ],
)  # fmt: skip
def test_these_are_refused_whatever_is_granted(machine: Machine, name: str) -> None:
    everything = grants(write=True, net=True, run=True)
    assert verdict(machine, name, granted=everything) == errno.EPERM
    assert verdict(machine, name) == errno.EPERM


@MACHINES
@pytest.mark.parametrize("name", ["clone3", "openat2", "io_uring_setup", "io_uring_enter"])
def test_these_are_refused_as_missing_so_that_libraries_take_another_way(machine: Machine, name: str) -> None:
    assert verdict(machine, name, granted=grants(write=True, net=True, run=True)) == errno.ENOSYS


@MACHINES
def test_a_thread_is_made_and_a_process_only_where_programs_may_be_started(machine: Machine) -> None:
    thread, process = 0x3D0F00, 17
    assert verdict(machine, "clone", thread) == 0
    assert verdict(machine, "clone", process) == errno.EPERM
    assert verdict(machine, "clone", process, granted=grants(run=True)) == 0
    for namespace in (0x02000000, 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert verdict(machine, "clone", process | namespace, granted=grants(run=True)) == errno.EPERM
        assert verdict(machine, "clone", thread | namespace) == errno.EPERM
    assert verdict(machine, "execve") == errno.EPERM
    assert verdict(machine, "execve", granted=grants(run=True)) == 0


@MACHINES
def test_signals_reach_only_the_process_itself(machine: Machine) -> None:
    for name in ("kill", "tgkill"):
        assert verdict(machine, name, PID) == 0
        for other in (1, 0, -1, PID + 1, -PID):
            assert verdict(machine, name, other) == errno.EPERM
            # Where Landlock does not keep signals in, programs cannot be signalled either.
            assert verdict(machine, name, other, granted=grants(run=True, scoped=False)) == errno.EPERM
            assert verdict(machine, name, other, granted=grants(run=True, scoped=True)) == 0


@MACHINES
def test_sockets_are_tcp_and_udp_where_they_are_granted_and_none_where_not(machine: Machine) -> None:
    cloexec, datagram, stream = 0o2000000, 2, 1
    net = grants(net=True)
    for family in (2, 10):
        assert verdict(machine, "socket", family, stream | cloexec, 0) == errno.EPERM
        assert verdict(machine, "socket", family, stream | cloexec, 0, granted=net) == 0
        assert verdict(machine, "socket", family, datagram, 17, granted=net) == 0
        assert verdict(machine, "socket", family, 3, 1, granted=net) == errno.EACCES  # raw
        assert verdict(machine, "socket", family, stream, 132, granted=net) == errno.EACCES  # SCTP
    for family in (1, 16, 17, 38, 40):
        assert verdict(machine, "socket", family, stream, 0, granted=net) == errno.EACCES
    for granted in (grants(), net):
        assert verdict(machine, "socketpair", 1, stream | cloexec, granted=granted) == 0
        assert verdict(machine, "socketpair", 1, datagram, granted=granted) == errno.EPERM
        assert verdict(machine, "socketpair", 1, 5, granted=granted) == errno.EPERM
        assert verdict(machine, "socketpair", 2, stream, granted=granted) == errno.EPERM
    assert verdict(machine, "sendto", 5, 1, 1, 0, 0) == 0
    for address in (1, 1 << 32):
        assert verdict(machine, "sendto", 5, 1, 1, 0, address) == errno.EPERM
        assert verdict(machine, "sendto", 5, 1, 1, 0, address, granted=net) == 0
    for name in ("bind", "connect", "listen", "accept4"):
        assert verdict(machine, name) == errno.EPERM
        assert verdict(machine, name, granted=net) == 0


@MACHINES
def test_files_are_opened_as_anything_but_what_runs_as_its_owner(machine: Machine) -> None:
    creating, writing, reading, cutting, nameless = 0o100, 0o1, 0, 0o1000, 0o20000000
    assert verdict(machine, "openat", -100, 1, reading) == 0
    assert verdict(machine, "openat", -100, 1, creating | writing, 0o644) == 0
    assert verdict(machine, "openat", -100, 1, writing | cutting) == 0
    assert verdict(machine, "openat", -100, 1, reading | cutting) == errno.EACCES
    for only_for_ioctl in (0o3, 0o3 | cutting, 0o3 | creating):
        assert verdict(machine, "openat", -100, 1, only_for_ioctl) == errno.EACCES  # Landlock asks for no right then
        assert verdict(machine, "openat", -100, 1, only_for_ioctl | 0o2000000) == errno.EACCES
    for bits in (0o4000, 0o2000, 0o6000):
        assert verdict(machine, "openat", -100, 1, creating | writing, 0o755 | bits) == errno.EPERM
        assert verdict(machine, "openat", -100, 1, nameless | writing, 0o755 | bits) == errno.EPERM
        assert verdict(machine, "openat", -100, 1, reading, bits) == 0  # no mode is looked at


@MACHINES
def test_the_lifeline_is_neither_closed_nor_replaced_nor_changed_nor_led_to(machine: Machine) -> None:
    for name in ("close", "dup", "shutdown"):
        assert verdict(machine, name, LIFELINE) == errno.EPERM
        assert verdict(machine, name, LIFELINE + 1) == 0
    assert verdict(machine, "dup3", 1, LIFELINE) == errno.EPERM
    assert verdict(machine, "dup3", LIFELINE, 50) == errno.EPERM
    assert verdict(machine, "dup3", 1, 50) == 0
    for command in (0, 1, 2, 3, 4, 1030):
        assert verdict(machine, "fcntl", LIFELINE, command) == errno.EPERM
        assert verdict(machine, "fcntl", 5, command) == 0
    assert verdict(machine, "ioctl", LIFELINE, 0x5451) == errno.EPERM
    assert verdict(machine, "close_range", 3, 100) == errno.ENOSYS


@MACHINES
def test_descriptors_are_not_given_to_others_to_be_signalled(machine: Machine) -> None:
    for command in (8, 10, 15, 1024, 1026, 1031):
        assert verdict(machine, "fcntl", 5, command) == errno.EPERM
    for command in (0x5412, 0x541C, 0x5452, 0x8901, 0x40086602):
        assert verdict(machine, "ioctl", 5, command) == errno.EPERM
    assert verdict(machine, "ioctl", 1, 0x5401) == 0


@MACHINES
def test_options_that_undo_what_holds_are_refused(machine: Machine) -> None:
    for option in (1, 4, 22, 24, 35, 36, 38, 47, 53, 0x59616D61):
        assert verdict(machine, "prctl", option) == errno.EPERM
    assert verdict(machine, "prctl", 15) == 0


@MACHINES
def test_only_its_own_limits_are_changed(machine: Machine) -> None:
    assert verdict(machine, "prlimit64", 0) == 0
    assert verdict(machine, "prlimit64", PID) == 0
    assert verdict(machine, "prlimit64", 1) == errno.EPERM


@MACHINES
def test_files_are_removed_and_renamed_only_where_anything_may_be_written(machine: Machine) -> None:
    for name in ("mkdirat", "unlinkat", "renameat2", "linkat", "truncate", "flock"):
        assert verdict(machine, name) == errno.EPERM
        assert verdict(machine, name, granted=grants(write=True)) == 0
    for flags, found in ((0, 0), (1, 0), (2, 0), (4, errno.EINVAL), (5, errno.EINVAL)):  # 4 would leave a device behind
        assert verdict(machine, "renameat2", -100, 1, -100, 2, flags, granted=grants(write=True)) == found
    untruncated = Grants(write=True, net=False, run=False, scoped=False, truncating=False)
    assert verdict(machine, "truncate", granted=untruncated) == errno.EPERM


@MACHINES
def test_a_prepared_filter_is_the_same_with_the_numbers_of_its_process(machine: Machine) -> None:
    import os

    for granted in (grants(), grants(run=True), grants(write=True, net=True, run=True, scoped=False)):
        program = filter_program(machine, granted, os.getpid(), LIFELINE)
        wanted = b"".join(
            code.to_bytes(2, "little") + bytes((yes, no)) + constant.to_bytes(4, "little")
            for code, yes, no, constant in program
        )
        assert filter_bytes(machine, granted, LIFELINE) == wanted
        assert filter_bytes(machine, granted, LIFELINE) == wanted


def _numbers_in(header: Path) -> dict[str, int]:
    """Return the numbers in a header of the kernel's, without those for 32 bits."""
    found: dict[str, int] = {}
    by_size: dict[str, int] = {}  # numbers that have another name where a word has 32 bits
    conditions: list[bool] = []
    for line in header.read_text(encoding="ascii").splitlines():
        if line.startswith("#if"):
            conditions.append(not re.search("== 32|WANT_SYNC_FILE_RANGE2", line))  # neither is for aarch64
        elif line.startswith("#else"):
            conditions[-1] = not conditions[-1]
        elif line.startswith("#endif"):
            conditions.pop()
        if not all(conditions):
            continue
        number = re.match(r"#define __NR(3264)?_(\w+)\s+(\d+)$", line)
        if number:
            (by_size if number[1] else found)[number[2]] = int(number[3])
        other = re.match(r"#define __NR_(\w+)\s+__NR3264_(\w+)$", line)
        if other and other[2] in by_size:
            found[other[1]] = by_size[other[2]]
    return found


@pytest.mark.parametrize(
    ("machine", "header"),
    [(X86_64, "x86_64-linux-gnu/asm/unistd_64.h"), (AARCH64, "asm-generic/unistd.h")],
    ids=["x86_64", "aarch64"],
)
def test_the_tables_say_what_the_headers_of_the_kernel_say(machine: Machine, header: str) -> None:
    path = Path("/usr/include", header)
    if not path.exists():
        pytest.skip("the kernel's headers are not installed")
    numbers = _numbers_in(path)
    assert numbers["openat"] == machine.numbers["openat"]
    # The table may be newer than the headers.
    last = max(number for name, number in numbers.items() if name != "syscalls")
    assert {name: number for name, number in machine.numbers.items() if number <= last} == {
        name: number for name, number in numbers.items() if name not in {"syscalls", "arch_specific_syscall"}
    }


def test_the_marks_of_machines_are_those_of_the_kernel() -> None:
    # linux/audit.h: __AUDIT_ARCH_64BIT | __AUDIT_ARCH_LE | EM_X86_64 (62), EM_AARCH64 (183) of linux/elf-em.h.
    assert X86_64.audit_arch == 0x8000_0000 | 0x4000_0000 | 62
    assert AARCH64.audit_arch == 0x8000_0000 | 0x4000_0000 | 183


def test_the_tables_have_the_numbers_of_the_kernel() -> None:
    # A few of each, read off linux/arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
    known = {
        "read": (0, 63), "openat": (257, 56), "clone": (56, 220), "execve": (59, 221), "kill": (62, 129), "socket": (41, 198),
        "connect": (42, 203), "mmap": (9, 222), "fcntl": (72, 25), "ioctl": (16, 29), "prctl": (157, 167), "futex": (202, 98),
        "prlimit64": (302, 261), "seccomp": (317, 277), "landlock_restrict_self": (446, 446), "fchmodat2": (452, 452),
        "newfstatat": (262, 79), "exit_group": (231, 94), "getrandom": (318, 278), "ptrace": (101, 117),
    }  # fmt: skip
    found = {name: (X86_64.numbers[name], AARCH64.numbers[name]) for name in known}
    assert found == known
    for machine in (X86_64, AARCH64):
        assert len(set(machine.numbers.values())) == len(machine.numbers)
