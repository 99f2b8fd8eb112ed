"""A process that has imported what is heavy, and forks a worker of itself whenever its host asks.

It has one thread, reads no message that is meant for a worker, and so never holds anything of a plugin. It ends with
its host, as each of its workers does. It is not sandboxed: what it imports is the host's own environment, and each worker
takes on its limits before any plugin code, like one that was started by itself.
"""

import gc
import os
import sys
from _socket import CMSG_SPACE, SCM_RIGHTS, SOL_SOCKET, socket, socketpair  # socket itself imports enum and selectors
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
    spare = Spare(line, lifeline)
    while True:
        data, ancillary, _, _ = line.recvmsg(_MESSAGE_BYTES, CMSG_SPACE(4 * _FORK_DESCRIPTORS))
        if not data:
            os._exit(0)
        tag, argument = unpack(data)  # type: ignore[misc]
        if tag == "fork":  # type: ignore[has-type]
            _tell(line, spare.hand_over(_descriptors(ancillary)))
            spare = Spare(line, lifeline)  # after the answer: nobody waits for it
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


def _tell(line: socket, process: int) -> None:
    pidfd = os.pidfd_open(process)
    line.sendmsg([pack(["forked", process])], [(SOL_SOCKET, SCM_RIGHTS, pidfd.to_bytes(4, sys.byteorder))])
    os.close(pidfd)


class Spare:
    """A worker that is forked before anybody asks for it, and has done once what a worker does first.

    What a fork costs is spread: each page that a process writes to is copied then. A rehearsal writes to most of those
    that a worker's start will.
    """

    def __init__(self, line: socket, lifeline: int) -> None:
        own = os.getpid()
        self._line, theirs = socketpair()
        self.process = os.fork()
        if self.process == 0:
            line.close()
            self._line.close()
            _wait_for_work(theirs, lifeline, own)
        theirs.close()

    def hand_over(self, descriptors: list[int]) -> int:
        """Give it a worker's descriptors, which are closed here, and return its process."""
        content = b"".join(one.to_bytes(4, sys.byteorder) for one in descriptors)
        try:
            self._line.sendmsg([b"w"], [(SOL_SOCKET, SCM_RIGHTS, content)])
        except OSError:
            pass  # it is gone, which the host finds by its pidfd, as of any worker
        finally:
            self._line.close()
            for descriptor in descriptors:
                os.close(descriptor)
        return self.process


def _wait_for_work(line: socket, lifeline: int, parent: int) -> None:
    """Rehearse, wait for descriptors, and be a worker; does not return."""
    try:
        _rehearse()
        data, ancillary, _, _ = line.recvmsg(1, CMSG_SPACE(4 * _FORK_DESCRIPTORS))
        line.close()
    except BaseException:  # noqa: BLE001 - the host sees that there is no worker, and starts one otherwise
        os._exit(1)
    descriptors = _descriptors(ancillary)
    if not data or len(descriptors) != _FORK_DESCRIPTORS:
        os._exit(0)
    _become_worker(lifeline, parent, *descriptors)


def _rehearse() -> None:
    """Do what a worker does, with a plugin of no consequence, and forget it."""
    from plugline.loading.namespace import namespaces, release  # noqa: PLC0415 - loaded by now
    from plugline.worker import codec, loaded  # noqa: PLC0415 - likewise

    member = ["transform", True, None]
    sent = dict.fromkeys(loaded.Sent.__slots__, "") | {
        "name": "rehearsal",
        "module": "rehearsal",
        "namespace": "plugline_rehearsal",
        "entry": "rehearsal.py",
        "root": "/plugline_rehearsal",
        "files": {"rehearsal.py": b"def transform(record):\n    return record\n"},
        "refused": {},
        "injected": {},
        "bound": ["transform"],
        "imported": [],
        "interfaces": [{"name": "rehearsal", "base": "", "members": [member]}],
        "shared": False,
    }
    (_, again) = codec.decode(codec.encode(["start", sent]))  # type: ignore[misc]
    loaded.load_sent(loaded.Sent(**again))  # type: ignore[has-type]
    unpack(pack(["done", 1, {"rehearsal": [1, 1.5, None]}]))
    for namespace in namespaces():
        release(namespace)
    loaded.forget_all()


def _become_worker(
    old_lifeline: int, parent: int, requests: int, answers: int, page: int, lifeline: int, *streams: int
) -> None:
    """Be a worker; does not return."""
    try:
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
