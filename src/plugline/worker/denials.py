"""An exception that a sandbox caused to the permission that its plugin lacks.

A denial is an error number, and Python's exception tells little more than that. What is found here is a guess from
it, from where it was raised and from what the line says, for a hint and for nothing else.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from types import TracebackType

from plugline.contract.permissions import Permissions, is_sayable
from plugline.worker.limits import Sandbox
from plugline.worker.places import python_places
from plugline.worker.sandbox import applied

_MOST_ERRORS = 10  # of a chain of causes
_MOST_FRAMES = 50
_DENIED = (1, 13)  # EPERM, EACCES
_NET_FILES = ("socket.py", "ssl.py", "socketserver.py", "connection.py")
_RUN_FILES = ("subprocess.py", "popen_fork.py", "popen_spawn_posix.py", "util.py", "pty.py", "base_subprocess.py")
_NET_WORDS = ("socket", "connect", "urlopen", "requests.", "httpx", "getaddrinfo", "gethostby")
_RUN_WORDS = ("fork", "spawn", "exec", "system(", "popen", "subprocess", "Process(")
_WRITE_WORDS = (
    '"w', "'w", '"a', "'a", '"x', "'x", '+"', "+'", "write", "O_WRONLY", "O_RDWR", "O_CREAT", "mkdir", "makedirs", "remove",
    "unlink", "rename", "replace", "rmdir", "rmtree", "touch", "mkstemp", "mkdtemp", "truncate", "link",
)  # fmt: skip
# No permission grants these.
_NEVER_WORDS = ("kill", "chmod", "chown", "utime", "symlink", "mkfifo", "mknod", "setuid", "setgid", "ptrace", "pidfd")


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
    if wanted is None:
        return "give it more: memory_bytes of plugline's Sandbox" if issubclass(type(error), MemoryError) else None
    return (
        f"the sandbox denied it; it takes permissions = {wanted} under [tool.plugline] of the plugin, and their grant, by "
        "plugline trust or the host's Sandbox"
    )


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen = 0
    one: BaseException | None = error
    while one is not None and seen < _MOST_ERRORS:
        yield one
        one = one.__cause__ or one.__context__
        seen += 1


def _wanted(error: BaseException, limits: Sandbox) -> Permissions | None:
    line, file, function = _raised_at(error)
    name = type(error).__name__
    if isinstance(error, OSError) and error.errno in _DENIED:
        return _of_denial(error, limits, line, file)
    if name == "gaierror" and not limits.net:
        return Permissions(net=True)
    if isinstance(error, KeyError) and file in ("os.py", "<frozen os>") and function == "__getitem__":
        variable = error.args[0] if error.args else None
        known = isinstance(variable, str) and is_sayable("env", variable)
        return Permissions(env=[str(variable)]) if known and variable not in (limits.env or ()) else None
    if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
        folder = _folder_of(error.name, limits)
        return Permissions(read=[folder]) if folder is not None else None
    if isinstance(error, FileNotFoundError) and file == "tempfile.py" and not limits.write:
        return Permissions(write=["/tmp"])  # noqa: S108 - a suggestion to be replaced by a better one
    return None


def _of_denial(error: OSError, limits: Sandbox, line: str, file: str) -> Permissions | None:
    path = error.filename2 or error.filename
    if isinstance(path, bytes):
        path = os.fsdecode(path)
    if any(word in line for word in _NEVER_WORDS):
        return None
    if isinstance(path, str) and is_sayable("read", path):
        whole = os.path.abspath(path)
        if _below((*(limits.read or ()), *(limits.write or ()), *python_places(sys.path)), whole) or any(
            word in line for word in _WRITE_WORDS
        ):
            return Permissions(write=[path]) if not _below(limits.write or (), whole) else None
        return Permissions(read=[path]) if os.path.exists(whole) else Permissions(write=[path])
    if not limits.net and (file in _NET_FILES or any(word in line for word in _NET_WORDS)):
        return Permissions(net=True)
    if not limits.run and (file in _RUN_FILES or any(word in line for word in _RUN_WORDS)):
        return Permissions(run=True)
    return None


def _raised_at(error: BaseException) -> tuple[str, str, str]:
    """Return the line, the name of the file and of the function in which it was raised."""
    traceback: TracebackType | None = error.__traceback__
    for _ in range(_MOST_FRAMES):
        if traceback is None or traceback.tb_next is None:
            break
        traceback = traceback.tb_next
    if traceback is None:
        return "", "", ""
    code = traceback.tb_frame.f_code
    import linecache  # noqa: PLC0415 - imports tokenize and re, and only an error needs it

    line = linecache.getline(code.co_filename, traceback.tb_lineno, traceback.tb_frame.f_globals)
    return line, os.path.basename(code.co_filename), code.co_name


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
