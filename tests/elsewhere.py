"""A Linux interpreter to one that lacks what another system lacks, as far as plugline can see.

Only what plugline's own modules see is changed: they get modules ``os``, ``sys`` and so on without the names that are not
there, and functions that refuse what is refused there. The standard library keeps the real ones, since it is the one
of this machine. So this shows that plugline does without, and not that it works there.

To be run in a process of its own: ``python tests/elsewhere.py win32 -m plugline list plugins``.
"""

import builtins
import errno
import functools
import importlib
import io
import os
import runpy
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, Self
from unicodedata import normalize

SYSTEMS = ("win32", "darwin")

_NO_MODULES = {
    "win32": "fcntl grp pwd resource termios tty pty posix _posixsubprocess _posixshmem readline crypt syslog",
    "darwin": "",
}
_NO_NAMES = {
    "win32": {
        "os": """
            O_NOFOLLOW O_DIRECTORY O_CLOEXEC O_NONBLOCK O_PATH O_TMPFILE O_ASYNC O_SYNC O_DSYNC O_NOATIME O_NOCTTY
            WNOHANG WUNTRACED WNOWAIT WEXITED WIFEXITED WIFSIGNALED WTERMSIG WEXITSTATUS P_PID P_PIDFD CLD_EXITED
            F_LOCK MFD_CLOEXEC MFD_ALLOW_SEALING POSIX_SPAWN_DUP2 POSIX_SPAWN_OPEN POSIX_SPAWN_CLOSE SCHED_OTHER
            chown fchmod fchown lchown lchmod chroot ctermid fchdir fdatasync fork forkpty geteuid getuid getegid getgid
            getgroups getloadavg getpgid getpgrp getpriority getresuid getresgid getsid initgroups killpg lockf
            major makedev memfd_create minor mkfifo mknod nice openpty pathconf fpathconf pidfd_open pipe2 posix_fadvise
            posix_fallocate posix_spawn posix_spawnp pread preadv pwrite pwritev readv writev register_at_fork
            sched_getaffinity sched_setaffinity sched_yield sendfile setegid seteuid setgid setgroups setns setpgid
            setpriority setregid setreuid setsid setuid splice statvfs fstatvfs sync sysconf confstr tcgetpgrp
            tcsetpgrp ttyname uname unshare wait wait3 wait4 waitid getxattr setxattr listxattr removexattr eventfd
            copy_file_range set_blocking get_blocking fwalk
        """,
        "signal": """
            SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGCHLD SIGCLD SIGPIPE SIGALRM SIGQUIT SIGIO SIGPOLL SIGSYS SIGXCPU SIGXFSZ
            SIGBUS SIGTRAP SIGSTOP SIGCONT SIGTSTP SIGTTIN SIGTTOU SIGURG SIGWINCH SIGPROF SIGVTALRM SIGPWR SIGSTKFLT
            SIGRTMIN SIGRTMAX SIG_BLOCK SIG_SETMASK SIG_UNBLOCK ITIMER_REAL alarm pause pthread_kill pthread_sigmask
            pidfd_send_signal setitimer getitimer siginterrupt sigpending sigwait sigwaitinfo sigtimedwait
        """,
        "socket": "AF_UNIX AF_NETLINK AF_PACKET SO_PEERCRED SCM_RIGHTS MSG_CMSG_CLOEXEC MSG_DONTWAIT CMSG_LEN CMSG_SPACE recv_fds send_fds SO_REUSEPORT",
        "select": "poll epoll kqueue POLLIN POLLOUT POLLHUP EPOLLIN PIPE_BUF",
        "time": "tzset clock_gettime clock_gettime_ns CLOCK_MONOTONIC CLOCK_REALTIME pthread_getcpuclockid",
        "_ctypes": "dlopen dlsym dlclose",
    },
    "darwin": {
        "os": """
            O_PATH O_TMPFILE O_NOATIME MFD_CLOEXEC MFD_ALLOW_SEALING memfd_create pidfd_open pipe2 sched_getaffinity
            preadv pwritev sched_setaffinity posix_fadvise posix_fallocate fdatasync eventfd copy_file_range splice waitid getxattr
            setxattr listxattr removexattr getresuid getresgid setns unshare P_PIDFD WNOWAIT WEXITED
        """,
        "signal": "pidfd_send_signal sigwaitinfo sigtimedwait SIGPWR SIGSTKFLT SIGRTMIN SIGRTMAX SIGPOLL SIGCLD",
        "socket": "AF_NETLINK AF_PACKET SO_PEERCRED MSG_CMSG_CLOEXEC SOCK_CLOEXEC SOCK_NONBLOCK SOCK_SEQPACKET",
        "select": "epoll EPOLLIN",
        "fcntl": "F_SETPIPE_SZ F_GETPIPE_SZ F_ADD_SEALS F_SEAL_SHRINK F_SEAL_GROW F_SEAL_SEAL F_SEAL_WRITE F_SETSIG F_OFD_SETLK",
        "resource": "RLIMIT_SIGPENDING RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RTPRIO prlimit",
    },
}  # fmt: skip
_O_BINARY = 0x4000_0000  # a bit that Linux has no use for, and that is taken off again


class _Lacking(ModuleType):
    """A module without some names, with others in their place."""

    def __init__(self, real: ModuleType, without: frozenset[str], instead: Mapping[str, object]) -> None:
        object.__setattr__(self, "_real", real)
        object.__setattr__(self, "_without", without)
        object.__setattr__(self, "_instead", dict(instead))

    def __getattribute__(self, name: str) -> Any:
        get = object.__getattribute__
        if name in get(self, "_instead"):
            return get(self, "_instead")[name]
        if name in get(self, "_without"):
            message = f"module {get(self, '_real').__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(get(self, "_real"), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(object.__getattribute__(self, "_real"), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(object.__getattribute__(self, "_real"), name)

    def __dir__(self) -> list[str]:
        return [name for name in dir(object.__getattribute__(self, "_real")) if hasattr(self, name)]


def become(system: str) -> None:
    """Let every module of plugline that is imported from now on see another system.

    Args:
        system: As ``sys.platform`` calls it.
    """
    windows = system == "win32"
    instead: dict[str, dict[str, object]] = {"sys": {"platform": system}, "os": {}, "select": {}}
    if windows:
        _open_as_windows_does()
        instead["os"] = _functions_of_windows()
        instead["select"] = {"select": _select_of_sockets}
    else:
        _open_whatever_the_case()
        instead["os"] = _functions_of_macos() | {"posix_spawn": functools.partial(_spawn, system)}
        instead["subprocess"] = {"Popen": functools.partial(_popen, system)}
    none = frozenset(_NO_MODULES[system].split())
    lacking = {
        name: _Lacking(importlib.import_module(name), frozenset(_NO_NAMES[system].get(name, "").split()), instead.get(name, {}))
        for name in {*_NO_NAMES[system], *instead}
        if name not in none
    }  # fmt: skip
    if windows:
        lacking["msvcrt"] = _Lacking(ModuleType("msvcrt"), frozenset(), {"locking": _locking, "LK_NBLCK": 2})
    real_import = builtins.__import__

    def import_(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002 - their names
        if level == 0 and str((globals or {}).get("__name__", "")).partition(".")[0] == "plugline":
            if name.partition(".")[0] in none:
                message = f"No module named {name!r}"
                raise ModuleNotFoundError(message, name=name)
            if name in lacking:
                return lacking[name]
            if name == "os.path":
                return lacking["os"].path if fromlist else lacking["os"]
        return real_import(name, globals, locals, fromlist, level)

    builtins.__import__ = import_


class _Uname:
    """What a Mac with an ARM processor says of itself."""

    sysname, machine = "Darwin", "arm64"

    def __init__(self, real: os.uname_result) -> None:
        self.release = real.release
        self.nodename = real.nodename
        self.version = real.version


# ----------------------------------------------------------------------------- processes that are started


def _elsewhere_too(system: str, command: Sequence[str]) -> list[str]:
    """Return what runs this Python's program on the other system as well."""
    if command[0] != sys.executable:
        return list(command)
    at = next(at for at, word in enumerate(command) if word in {"-c", "-m"})
    return [*command[:at], __file__, system, *command[at:]]


def _popen(system: str, command: Sequence[str], **named: Any) -> "subprocess.Popen[Any]":
    return subprocess.Popen(_elsewhere_too(system, command), **named)


def _spawn(system: str, path: str, command: Sequence[str], *rest: Any, **named: Any) -> int:
    return os.posix_spawn(path, _elsewhere_too(system, command), *rest, **named)


# ----------------------------------------------------------------------------- names of files on macOS


def _functions_of_macos() -> dict[str, object]:
    """Return functions that find files whatever the case of their names, and tell these decomposed, as HFS+ has them."""
    names = "open stat lstat access chmod readlink unlink remove rename replace link symlink mkdir rmdir utime truncate"
    return {name: _folding(getattr(os, name)) for name in names.split()} | {
        "uname": lambda: _Uname(os.uname()),
        "scandir": lambda path=".": _Scan(_folded(path), _DecomposedEntry),
        "listdir": lambda path=".": [normalize("NFD", name) for name in os.listdir(_folded(path))],
        "walk": _walk,
        "path": _Lacking(os.path, frozenset(), {name: _folding(getattr(os.path, name)) for name in _PATHS.split()}),
    }


_PATHS = "exists lexists isfile isdir islink ismount realpath samefile getsize getmtime"


def _walk(top: Any, **named: Any) -> Iterator[tuple[Any, list[str], list[str]]]:
    for folder, folders, files in os.walk(_folded(top), **named):
        folders[:] = [normalize("NFD", name) for name in folders]
        yield folder, folders, [normalize("NFD", name) for name in files]


def _folding(function: Any) -> Any:
    @functools.wraps(function)
    def folding(path: Any, *rest: Any, **named: Any) -> Any:
        return function(_folded(path), *rest, **named)

    return folding


def _folded(path: Any) -> Any:
    """Return the path of the file that is there under another spelling; the path itself where there is none."""
    if isinstance(path, int) or os.path.lexists(path):
        return path
    folder, name = os.path.split(os.fspath(path))
    if not name or not isinstance(name, str) or folder == path:
        return path
    folder = _folded(folder)
    try:
        there = os.listdir(folder or ".")
    except OSError:
        return path
    found = next((one for one in there if _spelling(one) == _spelling(name)), name)
    return os.path.join(folder, found)


def _spelling(name: str) -> str:
    return normalize("NFC", name.casefold())


def _open_whatever_the_case() -> None:
    io.open = builtins.open = _folding(io.open)


class _DecomposedEntry:
    """An entry of a folder under the name that HFS+ gives it."""

    def __init__(self, real: "os.DirEntry[Any]") -> None:
        self._real = real
        self.name, self.path = normalize("NFD", real.name), normalize("NFD", real.path)

    def __fspath__(self) -> Any:
        return self.path

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


# ----------------------------------------------------------------------------- what Windows refuses


def _refused(number: int, path: object = None) -> OSError:
    return OSError(number, f"{os.strerror(number)} (as Windows says)", path)


def _open_paths() -> set[tuple[int, int]]:
    """Return the files that this process has open."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        try:
            status = os.stat(f"/proc/self/fd/{name}")
        except OSError:
            continue
        if stat.S_ISREG(status.st_mode):
            found.add((status.st_dev, status.st_ino))
    return found


def _refuse_if_open(path: Any) -> None:
    try:
        status = os.lstat(path)
    except OSError:
        return
    if (status.st_dev, status.st_ino) in _open_paths():
        raise _refused(errno.EACCES, path)


def _refuse_names(path: Any) -> None:
    name = os.path.basename(os.fsdecode(path)) if not isinstance(path, int) else ""
    if any(one in '<>:"|?*' or ord(one) < 32 for one in name) or (
        name not in {".", ".."} and name.endswith((".", " "))
    ):
        raise _refused(errno.EINVAL, path)


def _functions_of_windows() -> dict[str, object]:
    return {
        "O_BINARY": _O_BINARY,
        "open": _open,
        "replace": _replace,
        "rename": _rename,
        "unlink": _unlink,
        "remove": _unlink,
        "fsync": _fsync,
        "kill": _kill,
        "scandir": lambda path=".": _Scan(path, _NumberlessEntry),
        "path": _Lacking(os.path, frozenset(), {"relpath": _relpath, "commonpath": _commonpath}),
    }


def _refuse_other_drives(paths: Sequence[Any]) -> None:
    drive = os.environ.get("PLUGLINE_TEST_DRIVE", "")
    if drive and len({os.path.abspath(path).startswith(f"{drive}/") for path in paths}) > 1:
        message = "path is on another drive"
        raise ValueError(message)


def _relpath(path: Any, start: Any = os.curdir) -> Any:
    _refuse_other_drives([path, start])
    return os.path.relpath(path, start)


def _commonpath(paths: Sequence[Any]) -> Any:
    _refuse_other_drives(paths)
    return os.path.commonpath(paths)


def _open(path: Any, flags: int, mode: int = 0o777) -> int:
    _refuse_names(path)
    if os.path.isdir(path):
        raise _refused(errno.EACCES, path)
    assert flags & _O_BINARY, f"{path!r} is opened without O_BINARY: line ends would be changed on Windows"
    return os.open(path, flags & ~_O_BINARY, mode)


def _replace(source: Any, target: Any) -> None:
    _refuse_names(target)
    for path in (source, target):
        _refuse_if_open(path)
    if os.path.isdir(target):
        raise _refused(errno.EACCES, target)
    os.replace(source, target)


def _rename(source: Any, target: Any) -> None:
    if os.path.lexists(target):
        raise _refused(errno.EEXIST, target)
    for folder, _, names in os.walk(source):
        for name in names:
            _refuse_if_open(os.path.join(folder, name))
    _replace(source, target)


def _unlink(path: Any) -> None:
    _refuse_if_open(path)
    os.unlink(path)


def _fsync(descriptor: int) -> None:
    with open(f"/proc/self/fdinfo/{descriptor}", encoding="ascii") as file:
        flags = int(file.read().split("flags:")[1].split()[0], 8)
    if not flags & (os.O_WRONLY | os.O_RDWR):
        raise _refused(errno.EBADF)
    os.fsync(descriptor)


def _kill(pid: int, number: int) -> None:
    assert number != 0, "on Windows os.kill(pid, 0) sends a Ctrl-C"
    os.kill(pid, number)


class _Scan:
    """A folder that is being listed."""

    def __init__(self, path: Any, entry: Callable[["os.DirEntry[Any]"], Any]) -> None:
        self._entries = os.scandir(path)
        self._entry = entry

    def __iter__(self) -> Iterator[Any]:
        return map(self._entry, self._entries)

    def __next__(self) -> Any:
        return self._entry(next(self._entries))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._entries.close()


class _NumberlessEntry:
    """An entry of a folder, which does not know the number of its file."""

    def __init__(self, real: "os.DirEntry[Any]") -> None:
        self._real = real
        self.name, self.path = real.name, real.path

    def __fspath__(self) -> Any:
        return self.path

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        status = self._real.stat(follow_symlinks=follow_symlinks)
        named = {name: getattr(status, name) for name in dir(status) if name.startswith("st_")}
        return os.stat_result((status.st_mode, 0, 0, 0, *status[4:]), named)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def _locking(descriptor: int, how: int, count: int) -> None:
    import fcntl

    assert how == 2
    fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, count, os.lseek(descriptor, 0, os.SEEK_CUR))


def _select_of_sockets(readers: Sequence[Any], writers: Sequence[Any], *rest: Any) -> Any:
    import select

    for one in (*readers, *writers):
        number = one if isinstance(one, int) else one.fileno()
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            raise OSError(10038, "an operation was attempted on something that is not a socket")
    return select.select(readers, writers, *rest)


def _open_as_windows_does() -> None:
    """Give text files the encoding and the line ends that they have there by default, and refuse what is no name."""
    real = io.open

    @functools.wraps(real)
    def open_(file: Any, mode: str = "r", buffering: int = -1, encoding: Any = None, errors: Any = None, newline: Any = None, *more: Any, **named: Any) -> Any:  # fmt: skip
        _refuse_names(file)
        if "b" not in mode:
            encoding = "cp1252" if encoding is None or encoding == "locale" else encoding
            if newline is None and ("w" in mode or "a" in mode or "x" in mode):
                newline = "\r\n"
        return real(file, mode, buffering, encoding, errors, newline, *more, **named)

    io.open = builtins.open = open_
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(
                encoding="cp1252" if not stream.isatty() else "utf-8", newline="\r\n", errors=stream.errors
            )


# ----------------------------------------------------------------------------- to be run


def run_elsewhere(
    system: str, *arguments: str, cwd: os.PathLike[str] | str | None = None, timeout: float = 60, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a Python on another system.

    Args:
        system: One of :data:`SYSTEMS`.
        arguments: What would follow ``python``: ``-m module ...``, ``-c program ...`` or a script.
        cwd: Where.
        timeout: In seconds.
        environment: More variables.
    """
    return subprocess.run(
        [sys.executable, __file__, system, *arguments],
        check=False, capture_output=True, cwd=cwd, timeout=timeout, encoding="utf-8", errors="replace", stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip


def _main(system: str, *arguments: str) -> None:
    # The standard library decides by the real system what it is: what is imported later would ask for Windows' own modules.
    if not sys.flags.isolated:
        del sys.path[0]
    become(system)
    match arguments:
        case ("-m", module, *rest):
            sys.argv = [module, *rest]
            sys.path.insert(0, os.getcwd())
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        case ("-c", program, *rest):
            sys.argv = ["-c", *rest]
            if not sys.flags.isolated:
                sys.path.insert(0, "")
            space: dict[str, Any] = {"__name__": "__main__"}
            exec(compile(program, "<string>", "exec"), space)  # noqa: S102 - what this is for
        case (script, *rest):
            sys.argv = [script, *rest]
            runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    _main(*sys.argv[1:])
