"""What a worker was granted to a seccomp filter: the system calls that it may make, all others refused.

An allowlist, so that what a later kernel adds is refused, too. What is refused is an error number, and not a death:
Python makes a :class:`PermissionError` of it, which names what an honest plugin should declare. The rules of the
filter's machine are those of https://www.kernel.org/doc/html/latest/userspace-api/seccomp_filter.html.

What the kernel takes as ``int`` is compared by its lower half, since the kernel takes no more of it.
"""

import errno
import os

from plugline.typed import Iterable, Mapping
from plugline.values import Value
from plugline.worker.machine import Machine
from plugline.worker.native import Buffer, call

Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, constant
Block = list[Instruction]

# ----------------------------------------------------------------------------- what is allowed

_ALWAYS = """
read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 lseek
fsync fdatasync ftruncate fallocate sendfile copy_file_range fadvise64 readahead sync_file_range
pipe pipe2 poll ppoll select pselect6 eventfd eventfd2 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
epoll_pwait2 timerfd_create timerfd_settime timerfd_gettime signalfd signalfd4
stat fstat lstat newfstatat statx access faccessat faccessat2 getdents getdents64 getcwd chdir fchdir
readlink readlinkat statfs fstatfs umask
munmap mremap mprotect madvise brk msync
futex futex_waitv futex_wake futex_wait futex_requeue set_robust_list set_tid_address rseq membarrier arch_prctl mseal
restart_syscall exit exit_group wait4 waitid
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm
getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun timer_delete nanosleep clock_nanosleep
time gettimeofday clock_gettime clock_getres times getcpu sched_yield sched_getaffinity sched_getparam
sched_getscheduler sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval getpriority
getpid getppid gettid getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups capget
uname sysinfo getrandom getrlimit setrlimit getrusage
recvfrom getsockname getpeername
"""
# Landlock decides where; without any place to write these need not be there at all.
# flock: who only reads must not hold up who writes.
_FOR_WRITING = "flock mkdir mkdirat rmdir unlink unlinkat rename renameat link linkat"
_FOR_NET = (
    "bind listen accept accept4 connect sendmsg sendmmsg sendto setsockopt"  # no recvmsg: it takes in descriptors
)
_FOR_RUNNING = "fork vfork execve"  # in one process group, which is killed as a whole

# Refused as a kernel refuses what it does not have: those who call them know another way.
_AS_IF_MISSING = """
clone3 openat2 io_uring_setup io_uring_enter io_uring_register pkey_alloc pkey_free pkey_mprotect statmount listmount
lsm_get_self_attr lsm_set_self_attr lsm_list_modules map_shadow_stack cachestat
"""
# What copying a file's attributes tries, and does without where the disk has none.
_AS_IF_UNSUPPORTED = """
setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
fremovexattr
"""
_LAST_KNOWN = 462  # mseal: what comes later is refused as missing

# ----------------------------------------------------------------------------- the filter's machine

_LOAD, _AND, _JUMP, _IF_EQUAL, _IF_LEAST, _IF_BITS, _RETURN = 0x20, 0x54, 0x05, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCH = 0, 4  # offsets in struct seccomp_data; its arguments follow at 16
_X32 = 0x40000000

_OK: Block = [(_RETURN, 0, 0, _ALLOW)]


def _refused(number: int) -> Block:
    return [(_RETURN, 0, 0, _ERROR | number)]


_EPERM = _refused(errno.EPERM)


def _argument(index: int, *, upper: bool = False) -> Instruction:
    return (_LOAD, 0, 0, 16 + 8 * index + (4 if upper else 0))


def _one_of(index: int, values: Iterable[int], otherwise: Block = _EPERM) -> Block:
    """Allow what has one of some values as an argument."""
    listed = sorted(values)
    tests = [(_IF_EQUAL, len(listed) - at - 1 + len(otherwise), 0, value) for at, value in enumerate(listed)]
    return [_argument(index), *tests, *otherwise, *_OK]


def _none_of_bits(index: int, bits: int) -> Block:
    """Allow what has none of some bits set in an argument."""
    return [_argument(index), (_IF_BITS, 0, len(_EPERM), bits), *_EPERM, *_OK]


def _exactly(index: int, mask: int, value: int) -> Block:
    """Allow what has, of the bits of a mask, those of a value set in an argument."""
    return [_argument(index), (_AND, 0, 0, mask), (_IF_EQUAL, len(_EPERM), 0, value), *_EPERM, *_OK]


def _unless_equal(index: int, value: int) -> Block:
    """Refuse what has a value as an argument; what comes after decides the rest."""
    return [_argument(index), (_IF_EQUAL, 0, 1, value), *_EPERM]


def _null(index: int) -> Block:
    """Allow what has no pointer as an argument."""
    return [
        _argument(index),
        (_IF_EQUAL, 0, 2, 0),
        _argument(index, upper=True),
        (_IF_EQUAL, 1, 0, 0),
        *_EPERM,
        *_OK,
    ]


# ----------------------------------------------------------------------------- arguments

_CLONE_THREAD = 0x00010000
_CLONE_VM = 0x00000100
# NEWTIME shares its bit with the signal that clone() ends with, and is for clone3 and unshare only.
_CLONE_NEW = 0x02000000 | 0x00020000 | 0x04000000 | 0x08000000 | 0x10000000 | 0x20000000 | 0x40000000
_CLONE_PTRACE = 0x00002000 | 0x00800000 | 0x00008000  # PTRACE, UNTRACED, PARENT

_O_WRONLY, _O_RDWR, _O_CREAT, _O_TRUNC, _O_TMPFILE = 0o1, 0o2, 0o100, 0o1000, 0o20000000
_SET_ID_BITS = 0o6000

_PRCTLS = (
    2,  # GET_PDEATHSIG
    3,  # GET_DUMPABLE
    15,  # SET_NAME
    16,  # GET_NAME
    21,  # GET_SECCOMP
    23,  # CAPBSET_READ
    29,  # SET_TIMERSLACK
    30,  # GET_TIMERSLACK
    39,  # GET_NO_NEW_PRIVS
    0x53564D41,  # SET_VMA: what the C library names its memory by
)
_FCNTLS = (0, 1, 2, 3, 4, 5, 6, 7, 9, 11, 36, 37, 38, 1030, 1032, 1034)  # no owner or signal, no lease, no watching
_IOCTLS = (
    0x5401,  # TCGETS: isatty()
    0x5413,  # TIOCGWINSZ
    0x541B,  # FIONREAD
    0x5421,  # FIONBIO
    0x5450,  # FIONCLEX
    0x5451,  # FIOCLEX
    0x802C542A,  # TCGETS2
)
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_TYPE = 1, 2, 0xF
_IPPROTO_TCP, _IPPROTO_UDP = 6, 17
_MAP_HUGETLB = 0x40000
_RENAMES = (0, 1, 2)  # NOREPLACE and EXCHANGE; WHITEOUT would leave a device behind


def _open_block(flags: int) -> Block:
    """Refuse what makes a file that runs as its owner, and what opens or cuts a file past Landlock. The mode stands after the flags.

    Landlock before version 3 lets a file be cut that is opened for reading. And both bits of the access mode together
    mean "for ioctl() only": no version of it asks for any right then, and to open a device may do something by itself.
    """
    neither = _O_WRONLY | _O_RDWR
    return [
        _argument(flags),
        (_AND, 0, 0, _O_TRUNC | neither),
        (_IF_EQUAL, 8, 0, _O_TRUNC),
        (_IF_EQUAL, 7, 0, neither),
        (_IF_EQUAL, 6, 0, _O_TRUNC | neither),
        _argument(flags),
        (_IF_BITS, 0, 3, _O_CREAT | _O_TMPFILE),
        _argument(flags + 1),
        (_IF_BITS, 0, 1, _SET_ID_BITS),
        *_EPERM,
        *_OK,
        *_refused(errno.EACCES),
    ]


def _checks(pid: int, lifeline: int, *, write: bool, net: bool, run: bool, scoped: bool) -> dict[str, Block]:
    """Return the calls that depend on their arguments."""
    # Neither closed, nor replaced, nor led to by another number: what it is set to is shared by all that lead to it.
    not_lifeline = [_argument(0), (_IF_EQUAL, 0, 1, lifeline), *_EPERM, *_OK]
    neither_lifeline = [
        _argument(0),
        (_IF_EQUAL, 2, 0, lifeline),
        _argument(1),
        (_IF_EQUAL, 0, 1, lifeline),
        *_EPERM,
        *_OK,
    ]
    # With programs, signals go to whatever they are; where Landlock scopes them they do not leave the sandbox.
    own = _OK if run and scoped else _one_of(0, [pid])
    checks = {
        "open": _open_block(1),
        "openat": _open_block(2),
        "creat": _none_of_bits(1, _SET_ID_BITS),
        "mmap": _none_of_bits(3, _MAP_HUGETLB),
        "clone": _exactly(0, _CLONE_THREAD | _CLONE_VM | _CLONE_NEW | _CLONE_PTRACE, _CLONE_THREAD | _CLONE_VM),
        "prctl": _one_of(0, _PRCTLS),
        "fcntl": [*_unless_equal(0, lifeline), *_one_of(1, _FCNTLS)],
        "ioctl": [*_unless_equal(0, lifeline), *_one_of(1, _IOCTLS)],
        "close": not_lifeline,
        "close_range": _refused(errno.ENOSYS),
        "dup": not_lifeline,
        "shutdown": not_lifeline,
        "getsockopt": not_lifeline,  # whose other end is the host: SO_PEERPIDFD is a handle of it
        "dup2": neither_lifeline,
        "dup3": neither_lifeline,
        "kill": own,
        "tgkill": own,
        "prlimit64": _one_of(0, [0, pid]),
        "sched_setaffinity": _one_of(0, [0]),
        "personality": _one_of(0, [0xFFFFFFFF]),  # asking only
        "socketpair": [
            _argument(0),
            (_IF_EQUAL, 0, 4, _AF_UNIX),
            # Only streams: an end of a pair of datagrams can send to any other socket by name.
            _argument(1),
            (_AND, 0, 0, _SOCK_TYPE),
            (_IF_EQUAL, 0, 1, _SOCK_STREAM),
            *_OK,
            *_EPERM,
        ],
        "sendto": _null(4),
    }
    if write:
        checks["renameat2"] = _one_of(4, _RENAMES, _refused(errno.EINVAL))
    if net:
        checks["socket"] = [
            _argument(0),
            (_IF_EQUAL, 1, 0, _AF_INET),
            (_IF_EQUAL, 0, 9, _AF_INET6),
            _argument(1),
            (_AND, 0, 0, _SOCK_TYPE),
            (_IF_EQUAL, 1, 0, _SOCK_STREAM),
            (_IF_EQUAL, 0, 5, _SOCK_DGRAM),
            _argument(2),  # no protocols but these two: each is a part of the kernel more
            (_IF_EQUAL, 2, 0, 0),
            (_IF_EQUAL, 1, 0, _IPPROTO_TCP),
            (_IF_EQUAL, 0, 1, _IPPROTO_UDP),
            *_OK,
            *_refused(errno.EACCES),
        ]
    if run:
        checks["clone"] = _none_of_bits(0, _CLONE_NEW | _CLONE_PTRACE)
    return checks


# ----------------------------------------------------------------------------- the filter


class Grants(Value):
    """What a filter depends on.

    Attributes:
        write: Whether there is any place that may be written to.
        scoped: Whether Landlock keeps signals in.
        truncating: Whether Landlock holds the cutting of files.
    """

    __slots__ = ("net", "run", "scoped", "truncating", "write")
    write: bool
    net: bool
    run: bool
    scoped: bool
    truncating: bool

    def __init__(self, *, write: bool, net: bool, run: bool, scoped: bool, truncating: bool) -> None:
        self._set(write=write, net=net, run=run, scoped=scoped, truncating=truncating)


def _actions(numbers: Mapping[str, int], grants: Grants, pid: int, lifeline: int) -> dict[int, Block]:
    listed: list[tuple[str, Block]] = [
        (_AS_IF_MISSING, _refused(errno.ENOSYS)),
        (_AS_IF_UNSUPPORTED, _refused(errno.EOPNOTSUPP)),
        (_ALWAYS, _OK),
        (_FOR_WRITING if grants.write else "", _OK),
        ("truncate" if grants.write and grants.truncating else "", _OK),
        (_FOR_RUNNING if grants.run else "", _OK),
    ]
    named = {name: block for names, block in listed for name in names.split()}
    named |= _checks(pid, lifeline, write=grants.write, net=grants.net, run=grants.run, scoped=grants.scoped)
    if grants.net:
        named |= dict.fromkeys(_FOR_NET.split(), _OK)
    return {numbers[name]: block for name, block in named.items() if name in numbers}


def _ranges(actions: dict[int, Block], default: Block, last: Block) -> list[tuple[int, Block]]:
    """Return where each stretch of numbers with one action begins, from 0 on."""
    found: list[tuple[int, Block]] = []
    before: Block | None = None
    for number in range(_LAST_KNOWN + 1):
        block = actions.get(number, default)
        if block is not before:
            found.append((number, block))
            before = block
    return [*found, (_LAST_KNOWN + 1, last)]


def _tree(ranges: list[tuple[int, Block]]) -> Block:
    """Return a search by halves: nine comparisons a call, where a list would take some three hundred."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    lower, upper = _tree(ranges[:middle]), _tree(ranges[middle:])
    if len(lower) < 256:
        return [(_IF_LEAST, len(lower), 0, ranges[middle][0]), *lower, *upper]
    return [(_IF_LEAST, 0, 1, ranges[middle][0]), (_JUMP, 0, 0, len(lower)), *lower, *upper]


def filter_program(machine: Machine, grants: Grants, pid: int, lifeline: int) -> Block:
    """Return the filter for a process.

    Args:
        machine: What it runs on; another machine's calls, as 32-bit ones, end it.
        pid: Its number, to which alone it may send signals.
        lifeline: The descriptor whose end it cannot outlive: it can be neither closed nor replaced.
    """
    program: Block = [
        (_LOAD, 0, 0, _ARCH),
        (_IF_EQUAL, 1, 0, machine.audit_arch),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine.name == "x86_64":
        program += [(_IF_LEAST, 0, 1, _X32), *_refused(errno.ENOSYS)]
    actions = _actions(machine.numbers, grants, pid, lifeline)
    return program + _tree(_ranges(actions, _EPERM, _refused(errno.ENOSYS)))


_PREPARED: dict[tuple[str, Grants], tuple[bytes, list[int], list[int]]] = {}
_PID_MARK, _LIFELINE_MARK = 0x7FFFFFFE, 0x7FFFFFFD  # no process and no descriptor has these numbers


def filter_bytes(machine: Machine, grants: Grants, lifeline: int | None) -> bytes:
    """Return the filter for this process as the kernel takes it; made once for each set of grants.

    So what forks workers makes them beforehand, and each puts in its own numbers.
    """
    key = (machine.name, grants)
    prepared = _PREPARED.get(key)
    if prepared is None:
        program = filter_program(machine, grants, _PID_MARK, _LIFELINE_MARK)
        pids = [at * 8 + 4 for at, one in enumerate(program) if one[3] == _PID_MARK]
        lifelines = [at * 8 + 4 for at, one in enumerate(program) if one[3] == _LIFELINE_MARK]
        # By arithmetic: struct would have to be loaded for it.
        packed = [
            (code | yes << 16 | no << 24 | constant << 32).to_bytes(8, "little") for code, yes, no, constant in program
        ]
        prepared = _PREPARED[key] = b"".join(packed), pids, lifelines
    whole, pids, lifelines = prepared
    own = bytearray(whole)
    for marks, number in ((pids, os.getpid()), (lifelines, lifeline)):
        if number is not None:
            for at in marks:
                own[at : at + 4] = number.to_bytes(4, "little")
    return bytes(own)


_SET_MODE_FILTER, _FLAG_TSYNC = 1, 1


def install(machine: Machine, program: bytes) -> None:
    """Hold all threads of this process to a filter, for good. ``no_new_privs`` has to be set.

    Raises:
        OSError: The kernel refused, or some thread has a filter that this one has not.
    """
    kept = Buffer(program)
    pointer = (len(program) // 8).to_bytes(8, "little") + kept.address.to_bytes(8, "little")
    found = call("syscall", machine.numbers["seccomp"], _SET_MODE_FILTER, _FLAG_TSYNC, pointer)
    if found:
        raise OSError(errno.ESRCH, f"thread {found} could not be held to it")
