"""An exception that a sandbox caused to the permission that its plugin lacks.

A denial is an error number, and Python's exception tells little more than that. What is found here is a guess from
it, from where it was raised and from what the line says, for a hint and for nothing else.
"""

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from types import FrameType, TracebackType

from plugline.contract.permissions import Permissions, is_sayable
from plugline.worker.limits import Sandbox
from plugline.worker.places import python_places
from plugline.worker.sandbox import applied

_MOST_ERRORS = 10  # of a chain of causes
_MOST_FRAMES = 50
_DENIED = (1, 13)  # EPERM, EACCES
_NET_FILES = ("socket.py", "ssl.py", "socketserver.py", "connection.py")
_RUN_FILES = ("subprocess.py", "popen_fork.py", "popen_spawn_posix.py", "util.py", "pty.py", "base_subprocess.py")
# Semaphores and memory that processes share are files there.
_SHARED_FILES, _SHARED = ("synchronize.py", "shared_memory.py"), "/dev/shm"  # noqa: S108 - nothing is made there
_NET_WORDS = ("socket", "connect", "urlopen", "requests.", "httpx", "getaddrinfo", "gethostby")
_RUN_WORDS = ("fork", "spawn", "exec", "system(", "popen", "subprocess", "Process(")
_WRITING = frozenset((
    "write_text", "write_bytes", "mkdir", "makedirs", "remove", "removedirs", "unlink", "rename", "renames", "replace",
    "rmdir", "rmtree", "touch", "mkstemp", "mkdtemp", "truncate", "link",
))  # fmt: skip
_WRITING_FLAGS = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND")
# No permission grants these.
_NEVER = {
    "chmod lchmod fchmod chown lchown fchown utime setxattr removexattr copystat copymode": (
        "modes, owners and times of files stay as they are; shutil.copyfile copies what a file holds"
    ),
    "symlink symlink_to mkfifo mknod": "links, FIFOs and devices are not made",
    "kill killpg pidfd_open pidfd_send_signal ptrace": "signals to other processes are not sent",
    "setsid setpgid setpgrp": "what it starts stays in its process group",
    "setuid setgid setreuid setregid setresuid setresgid setgroups chroot nice setpriority": "that takes root",
}
_NEVER_NAMES = {name: why for names, why in _NEVER.items() for name in names.split()}
# What SQLite says of a file that it may not open, or may only read; it says nothing more.
_OF_DATABASES = (("unable to open database file",), ("attempt to write a readonly database",))
_INTERNET = (2, 10)  # AF_INET and AF_INET6


def wanted_permission(error: BaseException, limits: Sandbox) -> Permissions | None:
    """Return the permission that would have let this pass; ``None`` where none would, or the sandbox is not to blame.

    Never raises. Runs nothing of the plugin's, as far as its exceptions are of Python's own classes.
    """
    try:
        for one in _chain(error):
            found = _wanted(one, limits)
            if found is not None:
                return found
    except BaseException:  # noqa: BLE001 - an exception of a plugin may do anything when it is looked at
        return None
    return None


def denial_hint(error: BaseException) -> str | None:
    """Return what to do about an exception that the sandbox of this process caused, ``None`` where it did not."""
    limits = applied()
    if limits is None:
        return None
    wanted = wanted_permission(error, limits)
    if wanted is not None:
        return (
            f"the sandbox denied it; it takes permissions = {wanted} under [tool.plugline] of the plugin, and their grant, "
            "by plugline trust or the host's Sandbox"
        )
    if issubclass(type(error), MemoryError):
        return "give it more: memory_bytes of plugline's Sandbox"
    if _is_of_database(error):
        return "a database takes its file among what may be read, and its folder among what may be written where it is changed"
    never = _never_granted(error)
    return None if never is None else f"the sandbox denied it, and no permission grants it: {never}"


def _is_of_database(error: BaseException) -> bool:
    library = sys.modules.get("sqlite3")
    # Exactly that class: one of the plugin's may do anything when it is asked for its arguments.
    return type(error) is getattr(library, "OperationalError", None) and error.args in _OF_DATABASES


def _never_granted(error: BaseException) -> str | None:
    """Return the rule of every sandbox that this came up against. Never raises, as :func:`wanted_permission`."""
    try:
        for one in _chain(error):
            if isinstance(one, OSError) and one.errno in _DENIED:
                call = _Failed(one)
                why = call.never()
                if why is None and call.makes_other_socket():
                    why = "sockets are TCP and UDP, where there are any"
                if why is None and call.file == "subprocess.py" and call.local("start_new_session") is True:
                    why = _NEVER_NAMES["setsid"]
                if why is not None:
                    return why
    except BaseException:  # noqa: BLE001 - see wanted_permission
        return None
    return None


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen = 0
    one: BaseException | None = error
    while one is not None and seen < _MOST_ERRORS:
        yield one
        one = one.__cause__ or one.__context__
        seen += 1


def _wanted(error: BaseException, limits: Sandbox) -> Permissions | None:
    call = _Failed(error)
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno in _DENIED:
        return _of_denial(error, limits, call)
    if name == "gaierror" and not limits.net:
        return Permissions(net=True)
    if isinstance(error, KeyError):
        return _of_lookup(error, limits, call)
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        folder = _folder_of(error.name, limits)
        return Permissions(read=[folder]) if folder is not None else None
    if isinstance(error, FileNotFoundError) and call.file == "tempfile.py" and not limits.write:
        return Permissions(write=["/tmp"])  # noqa: S108 - a suggestion to be replaced by a better one
    if isinstance(error, RuntimeError) and call.function in ("home", "expanduser"):
        return Permissions(env=["HOME"])
    return None


def _of_lookup(error: KeyError, limits: Sandbox, call: "_Failed") -> Permissions | None:
    key = error.args[0] if error.args else None
    if type(key) is not str:
        return None
    if call.file in ("os.py", "<frozen os>") and call.function == "__getitem__":
        return Permissions(env=[key]) if is_sayable("env", key) and key not in (limits.env or ()) else None
    for begin, file in (("getpw", "/etc/passwd"), ("getgr", "/etc/group")):
        if key.startswith(begin) and "not found" in key and not _below((*(limits.read or ()),), file):
            return Permissions(read=[file])
    return None


def _of_denial(error: OSError, limits: Sandbox, call: "_Failed") -> Permissions | None:
    if call.never() is not None:
        return None
    if call.file in _SHARED_FILES and not _below(limits.write or (), _SHARED):
        return Permissions(write=[_SHARED], run=not limits.run and call.file == "synchronize.py")
    path = error.filename2 or error.filename
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if isinstance(path, str) and is_sayable("read", path):
        whole = os.path.abspath(path)
        readable = _below((*(limits.read or ()), *(limits.write or ()), *python_places(sys.path)), whole)
        if readable or call.writes() or not os.path.exists(whole):
            return Permissions(write=[path]) if not _below(limits.write or (), whole) else None
        return Permissions(read=[path])
    line = call.line
    if not limits.net and (call.file in _NET_FILES or any(word in line for word in _NET_WORDS)):
        return Permissions(net=True) if not call.makes_other_socket() else None
    if not limits.run and (call.file in _RUN_FILES or any(word in line for word in _RUN_WORDS)):
        return Permissions(run=True)
    return None


class _Failed:
    """The place at which an exception was raised, and the call that stands there.

    Attributes:
        line: Its text: of the expression, where that is known, or else of the whole line.
        called: The last part of the name of what was called; empty where that cannot be seen.
    """

    def __init__(self, error: BaseException) -> None:
        self.line = self.file = self.function = self.called = ""
        self._frame: FrameType | None = None
        self._call: ast.Call | None = None
        traceback: TracebackType | None = error.__traceback__
        for _ in range(_MOST_FRAMES):
            if traceback is None or traceback.tb_next is None:
                break
            traceback = traceback.tb_next
        if traceback is None:
            return
        self._frame = traceback.tb_frame
        code = self._frame.f_code
        self.file, self.function = os.path.basename(code.co_filename), code.co_name
        self.line = _expression_at(traceback)
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            found = ast.parse(f"({self.line.strip()})", mode="eval").body
            if isinstance(found, ast.Call):
                self._call = found
                called = found.func
                self.called = str(getattr(called, "attr", None) or getattr(called, "id", ""))

    def local(self, name: str) -> object:
        """Return what has a name there, ``None`` where nothing has."""
        return self._frame.f_locals.get(name) if self._frame is not None else None

    def never(self) -> str | None:
        """Return why no permission grants what was called, if none does."""
        # What shutil calls has its name there from a table.
        return _NEVER_NAMES.get(self.called) or (_NEVER_NAMES.get(self.function) if self.file == "shutil.py" else None)

    def writes(self) -> bool:
        """Whether it was about to change something, as far as can be seen."""
        if self.called in _WRITING or any(flag in self.line for flag in _WRITING_FLAGS):
            return True
        if self._call is None or not self.called.endswith("open"):
            return False
        at = 0 if isinstance(self._call.func, ast.Attribute) and len(self._call.args) == 1 else 1
        given = next((one.value for one in self._call.keywords if one.arg == "mode"), None)
        if given is None and at < len(self._call.args):
            given = self._call.args[at]
        mode = self._value(given)
        return mode is not None and not mode.strip("rwxabtU+") and any(one in mode for one in "wxa+")

    def _value(self, given: ast.expr | None) -> str | None:
        if isinstance(given, ast.BoolOp):
            return next((value for value in map(self._value, given.values) if value), None)
        found: object = None
        if isinstance(given, ast.Constant):
            found = given.value
        elif isinstance(given, ast.Name):
            found = self.local(given.id)
            if found is None and self._frame is not None:
                found = self._frame.f_globals.get(given.id)
        return found if type(found) is str else None

    def makes_other_socket(self) -> bool:
        """Whether it was about to make a socket that no permission grants."""
        if self.file != "socket.py" or self.function != "__init__":
            return False
        family, kind = self.local("family"), self.local("type")
        of_python = sys.modules.get("socket")
        known = (int, getattr(of_python, "AddressFamily", int), getattr(of_python, "SocketKind", int))
        if type(family) not in known or type(kind) not in known:
            return False
        return family not in (*_INTERNET, -1) or kind not in (1, 2, -1)


def _expression_at(traceback: TracebackType) -> str:
    """Return the text of the expression in which an exception was raised, or that of its line."""
    import linecache  # imports tokenize and re, and only an error needs it

    frame = traceback.tb_frame
    code = frame.f_code
    lines = linecache.getlines(code.co_filename, frame.f_globals)
    first, last, begin, end = next(islice(code.co_positions(), traceback.tb_lasti // 2, None), (None,) * 4)
    if first is None or last is None or end is None or not 0 < first <= last <= len(lines):
        return linecache.getline(code.co_filename, traceback.tb_lineno, frame.f_globals)
    told = [line.encode() for line in lines[first - 1 : last]]
    told[-1] = told[-1][:end]
    told[0] = told[0][begin:]
    return b"".join(told).decode("utf-8", "replace")


def _folder_of(module: str, limits: Sandbox) -> str | None:
    """Return the folder on ``sys.path`` that holds a module and may not be read."""
    first = module.partition(".")[0]
    readable = (*python_places(sys.path), *(limits.read or ()), *(limits.write or ()))
    for folder in sys.path:
        if not folder or _below(readable, os.path.abspath(folder)):
            continue
        # Looking whether something is there is no reading of it.
        if os.path.isdir(os.path.join(folder, first)) or os.path.isfile(os.path.join(folder, f"{first}.py")):
            return os.path.abspath(folder)
    return None


def _below(granted: Iterable[str], path: str) -> bool:
    return any(path == one or path.startswith(f"{one.rstrip('/')}/") for one in granted)
