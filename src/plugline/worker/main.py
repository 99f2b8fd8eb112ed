"""A worker from its first instruction to its end.

In this order, so that no plugin code runs before the last of it: read the start message, see to it that the process ends
with its host, enter the sandbox, say that it is ready, run the plugin, serve.
"""

import mmap
import os
import sys

from plugline.errors import SandboxUnavailable
from plugline.worker.frames import WIRE_VERSION, plugline_version, read_frame, write_frame
from plugline.worker.guard import die_with_host
from plugline.worker.packing import pack, unpack

_LONGEST_NAME = 200  # of a function


def main(requests: int, answers: int, page: int, lifeline: int, parent: int) -> None:
    """Serve one plugin over these descriptors; does not return.

    Args:
        requests: Where messages come from.
        answers: Where they go.
        page: A file of memory whose first 8 bytes say which record is worked on.
        lifeline: A socket whose other end only the host holds.
        parent: The process that started this one.
    """
    frame = read_frame(requests)
    if frame is None:
        os._exit(0)
    (_, start) = unpack(bytes(frame))  # type: ignore[misc]
    die_with_host(lifeline, parent, from_main_thread=start["from_main_thread"])  # type: ignore[has-type]
    from plugline.worker.talk import open_streams  # not before its end is seen to

    open_streams()
    sys.dont_write_bytecode = True
    serve(requests, answers, page, lifeline, start)  # type: ignore[has-type]


def serve(requests: int, answers: int, page: int, lifeline: int, start: dict) -> None:  # type: ignore[type-arg]  # as the wire's page has it
    """Enter the sandbox, load the plugin and serve it; does not return."""
    from plugline.worker.talk import catch_logging  # a zygote has it

    shared = mmap.mmap(page, mmap.PAGESIZE)
    record = memoryview(shared).cast("Q")
    # In an environment of its own the standard library is another one than the host's.
    path = start["path"]
    if start["own_path"]:
        path = [*path, *(one for one in sys.path if one not in path)]
    refusal = _enter(start, (requests, answers, page), lifeline, path)
    # Not before: of what is on the host's path nothing may be found until it can do no harm.
    sys.path[:] = path
    if refusal is not None:
        write_frame(answers, pack(["refused", 0, refusal.what, refusal.hint]))
        os._exit(0)
    write_frame(answers, pack(["ready", 0, WIRE_VERSION, plugline_version(), list(sys.version_info[:3]), os.getpid()]))
    catch_logging(start["log_level"])
    _load_and_serve(requests, answers, record, start)


def _load_and_serve(requests: int, answers: int, record: memoryview, start: dict) -> None:  # type: ignore[type-arg]  # see above
    from plugline.worker.loaded import Bound, Declines, Sent, load_sent, open_sent  # after the sandbox
    from plugline.worker.serving import Server, end_quietly, finding_to_data, sayable
    from plugline.worker.talk import after_import  # loaded by now

    sent = Sent(**start["plugin"])
    after_import("linecache", sent.show_in)
    outcome = load_sent(sent)
    if isinstance(outcome, Bound) and start["open"] is not None:
        failed = open_sent(sent, outcome, *start["open"])
        outcome = outcome if failed is None else (failed,)
    if not isinstance(outcome, Bound):
        if isinstance(outcome, Declines):
            message: list[object] = ["declined", 0, sayable(outcome.reason)]
        else:
            message = ["failed", 0, [finding_to_data(finding) for finding in outcome]]
        write_frame(answers, pack(message))
    else:
        names = _functions_of(outcome.value)
        moments = [outcome.opens, outcome.closes]
        write_frame(answers, pack(["loaded", 0, outcome.interface, isinstance(outcome.value, type), names, *moments]))
        Server(requests, answers, record, sent, outcome).run()
    end_quietly()


def _functions_of(value: object) -> list[str]:
    """Return the names of what can be called, on the module or on an instance of the class."""
    functions = []
    for name in _names_in(value):
        if name.startswith("_") and name != "__call__":
            continue
        try:
            found = getattr(value, name)
            if callable(found) and not isinstance(found, type):
                functions.append(name)
        except BaseException:  # noqa: BLE001, S112 - foreign code: what cannot even be looked at cannot be called
            continue
    if isinstance(value, type) and not any("__call__" in vars(one) for one in value.__mro__):
        functions = [name for name in functions if name != "__call__"]
    return functions[:1000]


def _names_in(value: object) -> list[str]:
    """Return the names that can be written down, as far as the value tells them: what the interface asks for is known."""
    try:
        return [name for name in dir(value) if name.isidentifier() and len(name) <= _LONGEST_NAME]
    except BaseException:  # noqa: BLE001 - foreign code: a module's own __dir__
        return []


def _enter(start: dict, keep: tuple[int, ...], lifeline: int, path: list[str]) -> "SandboxUnavailable | None":  # type: ignore[type-arg]  # see above
    """Take on the limits. Returns why that is not possible."""
    limits = start["limits"]
    if start["level"] == "sandbox":
        from plugline.worker.limits import Sandbox  # the sandbox's own modules are most of its cost
        from plugline.worker.sandbox import apply

        try:
            apply(Sandbox(**limits), keep_fds=(0, 1, 2, *keep), lifeline=lifeline, path=path)
        except SandboxUnavailable as error:
            return error
        from plugline.loading import running  # is needed now, and not before

        running.explain = _explain_denial
        return None
    _limit(limits)
    return None


def _explain_denial(error: BaseException) -> str | None:
    from plugline.worker.denials import denial_hint  # only what fails needs it

    return denial_hint(error)


def _limit(limits: dict) -> None:  # type: ignore[type-arg]  # see above
    """Bound what a worker without a sandbox uses up, so that a memory bomb is its own affair."""
    import resource  # needed once

    memory, cpu = limits.get("memory_bytes"), limits.get("cpu_seconds")
    if memory is None:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    _lower(resource.RLIMIT_DATA, int(memory))
    if cpu is not None:
        _lower(resource.RLIMIT_CPU, max(1, int(-(-cpu // 1))))
    _lower(resource.RLIMIT_CORE, 0)


def _lower(kind: int, value: int) -> None:
    import resource  # loaded by now

    _, hard = resource.getrlimit(kind)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    try:
        resource.setrlimit(kind, (most, most))
    except (OSError, ValueError):
        if sys.platform == "linux":
            raise
        # macOS refuses some limits outright; there a memory bomb is the machine's affair.
