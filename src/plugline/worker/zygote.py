"""A process that has imported what is heavy, and forks a worker of itself whenever its host asks.

It has one thread, reads no message that is meant for a worker, and so never holds anything of a plugin. It ends with
its host, as each of its workers does. It is not sandboxed: what it imports is the host's own environment, and each worker
takes on its limits before any plugin code, like one that was started by itself.
"""

import gc
import os
import sys
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket  # socket itself imports enum and selectors
from contextlib import suppress

from plugline.worker.frames import read_frame
from plugline.worker.guard import die_with_host
from plugline.worker.packing import pack, unpack

_FORK_DESCRIPTORS = 6  # requests, answers, page, lifeline, standard output, standard error
_MESSAGE_BYTES = 2**16


def main(control: int, lifeline: int, parent: int) -> None:
    """Serve forks until the host closes its end; does not return.

    Args:
        control: A socket, to which messages and descriptors are sent.
        lifeline: A pipe whose other end only the host holds.
        parent: The host.
    """
    die_with_host(lifeline, parent, from_main_thread=False)
    line = socket(fileno=control)
    (_, path, own_path, preload) = unpack(line.recv(_MESSAGE_BYTES))  # type: ignore[misc]
    # Before the host's path is in force: on it, a plugin's file might have the name of what is wanted.
    _import_ours()
    sys.path[:] = [*path, *sys.path] if own_path else path  # type: ignore[has-type]
    failed = _import(preload)  # type: ignore[has-type]
    gc.collect()
    gc.freeze()  # so that a worker's collector does not touch, and thereby copy, all of it
    line.send(pack(["ready", failed]))
    while True:
        data, ancillary, _, _ = line.recvmsg(_MESSAGE_BYTES, CMSG_SPACE(4 * _FORK_DESCRIPTORS))
        if not data:
            os._exit(0)
        tag, argument = unpack(data)  # type: ignore[misc]
        if tag == "fork":  # type: ignore[has-type]
            _fork(line, lifeline, _descriptors(ancillary))
        else:
            line.send(pack(["status", _reaped(argument)]))  # type: ignore[has-type]


def _import_ours() -> None:
    """Import what every worker imports, in the order in which it does."""
    import atexit  # noqa: F401, PLC0415 - for those who fork
    import resource  # noqa: F401, PLC0415 - likewise

    from plugline.errors import SandboxUnavailable  # noqa: PLC0415 - for those who fork
    from plugline.worker import binding, loaded, sandbox, serving, talk  # noqa: F401, PLC0415 - likewise
    from plugline.worker import main as _main  # noqa: F401, PLC0415 - likewise
    from plugline.worker.limits import Sandbox  # noqa: PLC0415 - likewise

    with suppress(SandboxUnavailable):  # which a worker that is to be in one tells in its own words
        sandbox.prepare(Sandbox())


def _import(preload: list[str]) -> list[str]:
    """Import what a host wants its workers to have; returns what could not be."""
    from plugline.lookup import find_module  # noqa: PLC0415 - for those who fork

    find_module("plugline_zygote")  # there is none; but now it is known what every folder of the path holds
    failed = []
    for name in ("plugline.worker.codec", *preload):
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001 - a library's own code; the worker's import of it tells the plugin
            failed.append(f"{name}: {type(error).__name__}: {error}"[:1000])
    return failed


def _descriptors(ancillary: "list[tuple[int, int, bytes]]") -> list[int]:
    return [
        int.from_bytes(content[at : at + 4], sys.byteorder)
        for level, kind, content in ancillary
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
        for at in range(0, len(content) - 3, 4)
    ]


def _fork(line: socket, lifeline: int, descriptors: list[int]) -> None:
    own = os.getpid()
    process = os.fork()
    if process == 0:
        _become_worker(line, lifeline, own, *descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    pidfd = os.pidfd_open(process)
    line.sendmsg([pack(["forked", process])], [(SOL_SOCKET, SCM_RIGHTS, pidfd.to_bytes(4, sys.byteorder))])
    os.close(pidfd)


def _become_worker(
    line: socket, old_lifeline: int, parent: int, requests: int, answers: int, page: int, lifeline: int, *streams: int
) -> None:
    """Be a worker; does not return."""
    try:
        line.close()
        os.close(old_lifeline)
        os.setsid()
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
            os.close(stream)
        frame = read_frame(requests)
        if frame is None:
            os._exit(0)
        from plugline.worker.codec import decode  # noqa: PLC0415 - loaded by now

        (_, start) = decode(frame)  # type: ignore[misc]
        # Its own lifeline and not this process's end is what it dies by: that comes a moment earlier where the host
        # is killed, and would leave nobody to take along what the plugin has started.
        die_with_host(lifeline, parent, from_main_thread=False)
        for name in os.environ.keys() - start["environment"].keys():  # type: ignore[has-type]
            del os.environ[name]
        os.environ.update(start["environment"])  # type: ignore[has-type]
        _sow_again()
        from plugline.worker.main import serve  # noqa: PLC0415 - loaded by now

        serve(requests, answers, page, lifeline, start)  # type: ignore[has-type]
    except BaseException:
        # As at the end of a program: what nobody catches is printed. It must not get to the zygote's loop.
        sys.excepthook(*sys.exc_info())
        raise
    finally:
        os._exit(1)


def _sow_again() -> None:
    """Let workers not draw the same random numbers: the standard library sees to itself, numpy does not."""
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


def _reaped(process: int) -> int | None:
    """Wait for a worker that was killed, and return its status as :mod:`subprocess` has it."""
    try:
        _, status = os.waitpid(process, 0)
    except ChildProcessError:
        return None
    return os.waitstatus_to_exitcode(status)
