"""A process that has imported what is heavy, and has a worker forked of itself whenever its host wants one.

It has one thread, reads no message that is meant for a worker, and so never holds anything of a plugin. It ends with
its host, as each of its workers does. It is not sandboxed: what it imports is the host's own environment, and each worker
takes on its limits before any plugin code, like one that was started by itself.
"""

import gc
import os
import sys
from _socket import (  # socket itself imports enum and selectors
    CMSG_SPACE,
    MSG_CMSG_CLOEXEC,
    SCM_RIGHTS,
    SOL_SOCKET,
    socket,
    socketpair,
)
from contextlib import suppress
from select import POLLIN, poll

from plugline.worker.frames import read_frame, write_frame
from plugline.worker.guard import die_with_host
from plugline.worker.packing import pack, unpack

_WORKER_DESCRIPTORS = 6  # requests, answers, page, lifeline, standard output, standard error
_MESSAGE_BYTES = 2**16
_PATIENCE_MILLISECONDS = 4  # in which a worker that was just handed over answers for the first time


def main(control: int, lifeline: int, parent: int) -> None:
    """Serve forks until the host closes its end; does not return.

    Args:
        control: A socket, to which messages and descriptors are sent.
        lifeline: A pipe whose other end only the host holds.
    """
    die_with_host(lifeline, parent, from_main_thread=False)
    line = socket(fileno=control)
    (_, path, own_path, preload) = unpack(line.recv(_MESSAGE_BYTES))  # type: ignore[misc]
    # Before the host's path is in force: on it, a plugin's file might have the name of what is wanted.
    _import_ours()
    sys.path[:] = [*path, *sys.path] if own_path else path  # type: ignore[has-type]
    failed = _import(preload)  # type: ignore[has-type]
    _prepare()
    gc.collect()
    gc.freeze()  # so that a worker's collector does not touch, and thereby copy, all of it
    line.send(pack(["ready", failed]))
    waiting = poll()
    waiting.register(control, POLLIN)
    has_spare = False
    while True:
        # Not at once: where there are few processors, the worker that has just begun to load its plugin needs them.
        if not has_spare and not waiting.poll(_PATIENCE_MILLISECONDS):
            _fork_spare(line, lifeline)
            has_spare = True
        data = line.recv(_MESSAGE_BYTES)
        if not data:
            os._exit(0)
        tag, argument = unpack(data)  # type: ignore[misc]
        if tag == "taken":  # type: ignore[has-type]
            has_spare = False
        elif tag == "wanted":  # type: ignore[has-type]
            if not has_spare:  # else the host has not seen it yet
                _fork_spare(line, lifeline)
                has_spare = True
        else:
            line.send(pack(["status", _reaped(argument)]))  # type: ignore[has-type]


def _import_ours() -> None:
    """Import what every worker imports, in the order in which it does."""
    import atexit  # noqa: F401 - for those who fork
    import resource  # noqa: F401 - likewise

    from plugline.worker import binding, loaded, sandbox, serving, talk  # noqa: F401 - likewise
    from plugline.worker import main as _main  # noqa: F401 - likewise


def _import(preload: list[str]) -> list[str]:
    """Import what a host wants its workers to have; returns what could not be."""
    from plugline.lookup import find_module  # for those who fork

    find_module("plugline_zygote")  # there is none; but now it is known what every folder of the path holds
    failed = []
    for name in ("plugline.worker.codec", *preload):
        try:
            __import__(name)
        except Exception as error:  # noqa: BLE001 - a library's own code; the worker's import of it tells the plugin
            failed.append(f"{name}: {type(error).__name__}: {error}"[:1000])
    return failed


def _prepare() -> None:
    """Do what is the same in every worker, and leave nothing of the environment that this process was started with."""
    from plugline.errors import SandboxUnavailable  # loaded by now
    from plugline.worker import privileges, sandbox

    with suppress(SandboxUnavailable):  # which a worker that is to be in one tells in its own words
        sandbox.prepare(sys.path)
    with suppress(OSError):  # without /proc there is no sandbox either
        privileges.clear_environment(())
    sys.dont_write_bytecode = True


def _fork_spare(line: socket, lifeline: int) -> None:
    """Fork a worker that waits to be given work, and tell the host of it.

    What a fork costs is spread: each page that a process writes to is copied then. So it is done before anybody asks,
    and the worker does once what a worker does first. The host gets the socket to it, by whose end it ends as well.
    """
    own = os.getpid()
    theirs, ours = socketpair()
    process = os.fork()
    if process == 0:
        line.close()
        theirs.close()
        os.close(lifeline)
        _wait_for_work(ours, own)
    ours.close()
    pidfd = os.pidfd_open(process)
    content = b"".join(one.to_bytes(4, sys.byteorder) for one in (theirs.fileno(), pidfd))
    line.sendmsg([pack(["spare", process])], [(SOL_SOCKET, SCM_RIGHTS, content)])
    os.close(pidfd)
    theirs.close()


def _wait_for_work(line: socket, parent: int) -> None:
    """Prepare, wait for descriptors, and be a worker; does not return."""
    from plugline.worker import sandbox, talk  # loaded by now

    try:
        os.setsid()
        reading, writing = os.pipe()
        for number in (1, 2):
            os.dup2(writing, number)  # streams look at what they are opened on, and it will be pipes
        os.close(reading)
        os.close(writing)
        talk.open_streams()
        with suppress(OSError):  # which such a worker meets again, and tells
            sandbox.prepare_rules()
        _rehearse()
        data, ancillary, _, _ = line.recvmsg(1, CMSG_SPACE(4 * _WORKER_DESCRIPTORS), MSG_CMSG_CLOEXEC)
        line.close()
        descriptors = [
            int.from_bytes(content[at : at + 4], sys.byteorder)
            for level, kind, content in ancillary
            if (level, kind) == (SOL_SOCKET, SCM_RIGHTS)
            for at in range(0, len(content) - 3, 4)
        ]
    except BaseException:  # noqa: BLE001 - the host sees that there is no worker, and starts one otherwise
        os._exit(1)
    if not data or len(descriptors) != _WORKER_DESCRIPTORS:
        os._exit(0)
    _become_worker(parent, *descriptors)


def _rehearse() -> None:
    """Do what a worker does, with a plugin of no consequence, and forget it."""
    from plugline.loading.namespace import namespaces, release  # loaded by now
    from plugline.worker import codec, loaded, sandbox
    from plugline.worker.serving import Server

    sandbox.rehearse()
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
    received = loaded.Sent(**again)  # type: ignore[has-type]
    outcome = loaded.load_sent(received)
    if isinstance(outcome, loaded.Bound):
        requests, asking = os.pipe()
        answers, answering = os.pipe()
        for request in (["make", 1, 1, {}, []], ["call", 2, 1, "transform", [{"n": 1}], {}], ["end", 0]):
            write_frame(asking, pack(request))
        Server(requests, answering, memoryview(bytearray(8)).cast("Q"), received, outcome).run()
        for descriptor in (requests, asking, answers, answering):
            os.close(descriptor)
    for namespace in namespaces():
        release(namespace)
    loaded.forget_all()


def _become_worker(parent: int, requests: int, answers: int, page: int, lifeline: int, *streams: int) -> None:
    """Be a worker; does not return."""
    try:
        for number, stream in enumerate(streams, 1):
            os.dup2(stream, number)
            os.close(stream)
        frame = read_frame(requests)
        if frame is None:
            os._exit(0)
        from plugline.worker.codec import decode  # loaded by now

        (_, start) = decode(frame)  # type: ignore[misc]
        # Its own lifeline and not this process's end is what it dies by: that comes a moment earlier where the host
        # is killed, and would leave nobody to take along what the plugin has started.
        die_with_host(lifeline, parent, from_main_thread=False)
        if start["environment"]:  # type: ignore[has-type]
            os.environ.update(start["environment"])  # type: ignore[has-type]
        if start["level"] != "sandbox":  # type: ignore[has-type]
            from plugline.worker.sandbox import drop_rules  # loaded by now

            drop_rules()
        _sow_again()
        from plugline.worker.main import serve  # loaded by now

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
