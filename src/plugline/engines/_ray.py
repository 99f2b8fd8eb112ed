"""Splits to tasks of Ray; and a process that does nothing else, since Ray ends the process that it is in when its scheduler goes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from importlib.util import find_spec
from multiprocessing.connection import Connection, Pipe
from typing import Any

from plugline.engines import _remote
from plugline.records import Split

_BETWEEN_LOOKS_SECONDS = 0.2
_LOST_SECONDS = 10  # a scheduler of this machine that does not answer for so long has gone; Ray would wait for a minute


def connect(stack: ExitStack, *, address: str, processes: int, dashboard: bool) -> str | None:
    """Connect to a cluster, or start one of this machine, until ``stack`` is closed; return where its dashboard is."""
    import logging  # ray imports it too

    import ray  # seconds, and not installed with the tool

    local: dict[str, Any] = {
        "num_cpus": processes or _remote.processors(),
        # Without ray[default] there is no page, only an address.
        "include_dashboard": dashboard and find_spec("aiohttp_cors") is not None,
        "dashboard_port": 0,
    }
    stack.callback(ray.shutdown)
    context = ray.init(
        address=address or "local",
        logging_level=logging.CRITICAL,
        log_to_driver=False,
        **({} if address else local),
    )
    url = getattr(context, "dashboard_url", "")
    return f"http://{url}" if url else None


class Tasks:
    """Tasks of Ray; see :class:`~plugline.engines._remote.Tasks`. Ray is connected in this process.

    Args:
        patience_seconds: How long to wait for a worker where there is none.
        where: What to call the cluster.
        look: Called while something is waited for; ends the waiting by raising.
        is_ours: Whether the cluster was started for this run.
    """

    def __init__(
        self,
        shipped: _remote.Shipped,
        patience_seconds: float,
        where: str,
        look: Callable[[], None] = lambda: None,
        *,
        is_ours: bool = False,
    ) -> None:
        import ray  # see connect

        self._ray = ray
        self._patience_seconds = patience_seconds
        self._where = where
        self._look = look
        self._is_ours = is_ours
        # Where a worker dies a split is run again, watched; what a runner raises comes back as a value.
        self._run = ray.remote(num_cpus=1, max_retries=0)(_remote.run_all)
        self._run_watched = ray.remote(num_cpus=1, max_retries=3)(_remote.run_watched)
        self._payload = ray.put(shipped)

    def prepare(self) -> int:
        """Ask each node, and each worker of a cluster of our own, whether it can do the work, and return how many processors there are.

        Raises:
            TimeoutError: None has come.
        """
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # see connect

        self._wait_for_worker()
        count = int(self._ray.cluster_resources().get("CPU", 1))
        if self._is_ours:
            # Each worker, and not at its first split: none of them has anything else to do.
            run = self._ray.remote(num_cpus=1, max_retries=3)(_remote.prepare)
            for reference in [run.remote(self._payload) for _ in range(count)]:
                _remote.check_prepared(self._result(reference))
            return count
        nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]
        prepare = self._ray.remote(num_cpus=0, max_retries=3)(_remote.prepare)
        asked = {
            node: prepare.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)).remote(
                self._payload
            )
            for node in nodes
        }
        for node, reference in asked.items():
            _remote.check_prepared(self._result(reference), f"the node {node}")
        return count

    def start(self, splits: list[Split]) -> Any:
        return self._run.remote(self._payload, splits)

    def first_done(self, tasks: list[Any]) -> int:
        while True:
            done, _ = self._ray.wait(tasks, num_returns=1, timeout=_BETWEEN_LOOKS_SECONDS)
            if done:
                return tasks.index(done[0])
            self._look()

    def done(self, task: Any, splits: list[Split]) -> _remote.Done:
        done: _remote.Done
        try:
            done = self._result(task)
        except self._ray.exceptions.RayError:
            # A worker died while it had them: one record may be to blame.
            done = _remote.Done(map(self._watched, splits))
        return done

    def _watched(self, split: Split) -> Any:
        try:
            return self._result(self._run_watched.remote(self._payload, split))
        except self._ray.exceptions.RayError as error:  # the one that watches does not die of a record
            said = (str(error).strip().splitlines() or [""])[0]
            message = f"the scheduler of {self._where} went away, or lost the work: {type(error).__name__}: {said}"
            raise ConnectionError(message) from error

    def _result(self, reference: Any) -> Any:
        """Return what a task became, however long it takes, as long as there is a worker that may do it."""
        end = time.monotonic() + self._patience_seconds
        while not self._ray.wait([reference], timeout=_BETWEEN_LOOKS_SECONDS)[0]:
            self._look()
            if time.monotonic() > end:
                self._wait_for_worker()
                end = time.monotonic() + self._patience_seconds
        return self._ray.get(reference)

    def _wait_for_worker(self) -> None:
        """Wait until a node has a processor for tasks."""
        end = time.monotonic() + self._patience_seconds
        while self._ray.cluster_resources().get("CPU", 0) < 1:
            self._look()
            if time.monotonic() > end:
                message = f"no worker came to {self._where} within {self._patience_seconds:g} seconds: no node has a processor for tasks"
                raise TimeoutError(message)
            time.sleep(_BETWEEN_LOOKS_SECONDS)

    def cancel(self, tasks: list[Any]) -> None:
        for reference in tasks:
            self._ray.cancel(reference, force=True)


# ----------------------------------------------------------------------------- the process


class _Abandoned(Exception):
    """Nobody waits for the answer any more."""


class _Serving:
    """Does what it is asked for over a connection, one thing at a time, until that ends."""

    def __init__(self, connection: Connection, stack: ExitStack) -> None:
        self._connection = connection
        self._stack = stack
        self._is_ours = False
        self._tasks: Tasks | None = None
        self._references: dict[int, Any] = {}

    def serve(self) -> None:
        while True:
            try:
                number, name, arguments = self._connection.recv()
            except (EOFError, OSError):
                return
            answer: object
            try:
                answer = getattr(self, name)(*arguments)
            except _Abandoned:
                continue
            except BaseException as error:  # noqa: BLE001 - it is raised where the run is driven
                answer = _remote.raised(error)
            if number:
                with suppress(OSError):  # it has gone meanwhile, which the next look tells
                    self._connection.send((number, answer))

    def connect(self, address: str, processes: int, dashboard: bool) -> str | None:  # noqa: FBT001 - called over a connection
        self._is_ours = not address
        return connect(self._stack, address=address, processes=processes, dashboard=dashboard)

    def begin(self, shipped: _remote.Shipped, patience_seconds: float, where: str) -> int:
        self._tasks = Tasks(shipped, patience_seconds, where, self._look, is_ours=self._is_ours)
        self._references.clear()
        return self._tasks.prepare()

    def start(self, task: int, splits: list[Split]) -> None:
        self._references[task] = self._begun.start(splits)

    def first_done(self, tasks: list[int]) -> int:
        return self._begun.first_done([self._references[task] for task in tasks])

    def done(self, task: int, splits: list[Split]) -> _remote.Done:
        done = self._begun.done(self._references.pop(task), splits)
        outcomes = []
        for outcome in done.outcomes:
            outcomes.append(outcome)
            if isinstance(outcome, _remote.Raised):
                break
        return replace(done, outcomes=outcomes)

    def cancel(self, tasks: list[int]) -> None:
        self._begun.cancel([self._references.pop(task) for task in tasks if task in self._references])

    @property
    def _begun(self) -> Tasks:
        assert self._tasks is not None  # noqa: S101 - begin() comes first
        return self._tasks

    def _look(self) -> None:
        """End the waiting where something else is asked for, or nobody is there to be answered."""
        if self._connection.poll():
            raise _Abandoned


def serve(descriptor: int) -> None:
    """Be the process that talks to Ray for the program at the other end of a connection, and end with it."""
    # Ctrl-C goes to the program that drives the run, which ends this one. A function and not SIG_IGN, which Ray's would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)
    os.environ.setdefault("RAY_gcs_rpc_server_reconnect_timeout_s", str(_LOST_SECONDS))
    with Connection(descriptor) as connection, ExitStack() as stack:
        _Serving(connection, stack).serve()


_MOST_END_SECONDS = 30.0  # Ray takes one or two to end a cluster of this machine


class Client:
    """A process that is connected to a cluster.

    Args:
        where: What to call the cluster.
    """

    def __init__(self, where: str) -> None:
        self._where = where
        self._asked = 0
        self._connection: Connection | None
        self._connection, theirs = Pipe()
        with theirs:
            number = theirs.fileno()
            program = (
                f"import sys; sys.path[:] = {sys.path!r}; from plugline.engines._ray import serve; serve({number})"
            )
            # What plugins print is talk: standard output may be where the records go.
            self._process = subprocess.Popen(
                [sys.executable, "-c", program], pass_fds=[number], stdin=subprocess.DEVNULL, stdout=2
            )

    def ask(self, name: str, *arguments: object) -> Any:
        """Have something done, and return what comes of it.

        Raises:
            ConnectionError: The process has gone.
            BaseException: What was raised there.
        """
        self._asked += 1
        self.tell(name, *arguments, number=self._asked)
        assert self._connection is not None  # noqa: S101 - else it could not have been told
        answer = self._answer(self._connection)
        if isinstance(answer, _remote.Raised):
            raise answer.error()
        return answer

    def _answer(self, connection: Connection) -> object:
        while True:
            try:
                number, answer = connection.recv()
            except (EOFError, OSError):
                raise self._gone() from None
            except BaseException:
                self._hang_up()  # in the middle of an answer
                raise
            if number == self._asked:  # one that nobody waited for may come before
                return answer

    def tell(self, name: str, *arguments: object, number: int = 0) -> None:
        """Have something done of which nothing comes, or not at this moment.

        Raises:
            ConnectionError: The process has gone.
        """
        if self._connection is None:
            raise self._gone()
        try:
            self._connection.send((number, name, arguments))
        except OSError:
            raise self._gone() from None
        except BaseException:
            self._hang_up()
            raise

    def _gone(self) -> ConnectionError:
        self._hang_up()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=_MOST_END_SECONDS)
        return ConnectionError(f"the scheduler of {self._where} went away, and Ray ended its client")

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """End the process, and with it a cluster that it has started."""
        self._hang_up()
        try:
            self._process.wait(timeout=_MOST_END_SECONDS)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise


class FarTasks:
    """See :class:`~plugline.engines._remote.Tasks`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._started = 0

    def start(self, splits: list[Split]) -> int:
        self._started += 1
        self._client.tell("start", self._started, splits)
        return self._started

    def first_done(self, tasks: list[int]) -> int:
        at: int = self._client.ask("first_done", tasks)
        return at

    def done(self, task: int, splits: list[Split]) -> _remote.Done:
        done: _remote.Done = self._client.ask("done", task, splits)
        return done

    def cancel(self, tasks: list[int]) -> None:
        with suppress(ConnectionError):  # nobody works at them then
            self._client.tell("cancel", tasks)
