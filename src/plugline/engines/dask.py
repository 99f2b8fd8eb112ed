"""Run splits on Dask: on a cluster whose scheduler has an address, or on one of this machine that is started for the run.

Splits are tasks; records never pass through Dask. Needs ``pip install 'plugline[dask]'``, where the run is driven and on workers.
"""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from plugline.engines import _remote
from plugline.engines._desk import Desk
from plugline.records import Part, Split, SplitRunner

VERSION = "1.0"


def available() -> bool | str:
    """Say what is missing where Dask is not installed."""
    if find_spec("distributed") is None:
        return "it needs the package 'distributed': pip install 'plugline[dask]'"
    return True


@dataclass(kw_only=True)
class Dask:
    """Runs splits on Dask.

    Attributes:
        address: Of the scheduler (``"tcp://10.0.0.5:8786"``); empty: a cluster of worker processes on this machine.
        processes: How many workers a cluster of this machine has; 0 stands for the number of processors.
        ordered: Whether parts come in the order of the splits.
        patience_seconds: How long to wait for the scheduler, and for the first worker; and for another when all are gone.
        dashboard: Whether a cluster of this machine has Dask's dashboard, where bokeh is installed.
    """

    address: str = ""
    processes: int = 0
    ordered: bool = True
    patience_seconds: float = 60.0
    dashboard: bool = True

    streaming: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Nothing is started yet. The cluster and where its dashboard is are kept from run to run, until it is closed.

        Raises:
            ValueError: A setting is out of its range.
        """
        _remote.check_settings(self.processes, self.patience_seconds)
        self.dashboard_url: str | None = None
        self._stack = ExitStack()
        self._client: Any = None

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        if self._client is None:
            self._client = self._connect(self._stack)
        try:
            yield from self._parts(self._client, runner, splits)
        except (Exception, asyncio.CancelledError) as error:
            if not _gone(self._client, error):
                raise
            message = f"the scheduler {self.address or 'of this machine'} went away, or forgot the work"
            raise ConnectionError(message) from error

    def close(self) -> None:
        """End what was started; a cluster that was there before goes on."""
        self._client = None
        self._stack.close()

    def _connect(self, stack: ExitStack) -> Any:
        # Half a second, and not installed with the tool.
        import logging

        import dask
        import distributed

        stack.enter_context(dask.config.set(_SETTINGS if self.address else {**_SETTINGS, **_LOCAL_SETTINGS}))
        # What matters of it is raised; each of these has a level of its own.
        for name in ("distributed", "distributed.client", "tornado.application", "asyncio"):
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        place: Any = self.address
        shows = bool(self.address) or (self.dashboard and find_spec("bokeh") is not None)
        if not self.address:
            place = stack.enter_context(
                distributed.LocalCluster(
                    n_workers=self.processes or _remote.processors(),
                    threads_per_worker=1,
                    processes=True,
                    dashboard_address="127.0.0.1:0" if shows else None,
                    silence_logs=logging.CRITICAL,
                    preload=__name__,
                )
            )
        try:
            client = stack.enter_context(
                distributed.Client(
                    place, timeout=self.patience_seconds, set_as_default=False, direct_to_workers=not self.address
                )
            )
        except ValueError as error:
            message = f"{self.address!r} is no address of a scheduler, expected tcp://HOST:PORT: {error}"
            raise ConnectionError(message) from error
        except (OSError, TimeoutError) as error:
            message = f"no scheduler answers at {self.address}; is it running, and the address right?"
            raise ConnectionError(message) from error
        try:
            client.wait_for_workers(1, timeout=self.patience_seconds)
        except TimeoutError as error:
            message = f"no worker came to {self.address or 'the cluster'} within {self.patience_seconds:g} seconds"
            raise TimeoutError(message) from error
        # Without a dashboard, a cluster of this machine names an address at which there is none.
        self.dashboard_url = client.dashboard_link or None if shows else None
        return client

    def _parts(self, client: Any, runner: SplitRunner, splits: Iterable[Split]) -> Iterator[Part]:
        with closing(Desk()) as desk:
            shipped = _remote.ship(runner, desk)
            prepare = _remote.prepare if self.address else _prepare_in_thread
            for address, raised in client.run(prepare, shipped).items():
                _remote.check_prepared(raised, f"the worker {address}")
            tasks = _Tasks(client, shipped, self.patience_seconds, self.address or "this machine")
            width = max(2, 2 * sum(client.nthreads().values()))
            yield from _remote.parts(tasks, splits, desk, width=width, ordered=self.ordered)


_MOST_TRIES = 4  # as many as others have
_MOST_CARRIED_BYTES = 2**16  # by each task: a runner with the source of most plugins is a third of that
_SETTINGS = {
    # What a worker died of is run again where a death costs nothing, so one of them is enough: each takes seconds.
    "distributed.scheduler.allowed-failures": 0,
}
# Of a cluster of this machine, which is there for one run: what looks after it looks less often, since each look takes the
# interpreter from whatever a worker is doing. Dask's own are 10, 20 and 500 ms.
_LOCAL_SETTINGS = {
    "distributed.worker.profile.interval": "200ms",
    "distributed.admin.tick.interval": "500ms",
    "distributed.admin.system-monitor.interval": "2s",
    "distributed.scheduler.active-memory-manager.start": False,
    "distributed.worker.memory.monitor-interval": "500ms",
    # What Dask sets gives all that is freed back to the system, and takes it again for the next piece of a part.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": 2**26,
    "distributed.nanny.pre-spawn-environ.MALLOC_MMAP_THRESHOLD_": 2**24,
}


class _Tasks:
    """Tasks of Dask; see :class:`~plugline.engines._remote.Tasks`."""

    def __init__(self, client: Any, shipped: _remote.Shipped, patience_seconds: float, where: str) -> None:
        self._client = client
        self._patience_seconds = patience_seconds
        self._where = where
        # Within each task where it is small: tasks that need what a worker has go to that worker at first, and others have nothing
        # to do. Else as a task and not as scattered data: when a worker is lost, it can be made again.
        is_small = len(shipped.content) <= _MOST_CARRIED_BYTES
        self._payload = shipped if is_small else client.submit(_same, shipped, pure=False)
        self._own = [] if is_small else [self._payload]

    def start(self, splits: list[Split]) -> Any:
        return self._client.submit(_remote.run_all, self._payload, splits, pure=False)

    def first_done(self, tasks: list[Any]) -> int:
        import distributed  # see _connect

        while True:
            # Not wait(), which asks the program's own client, of which it may have none or another.
            done = distributed.as_completed(tasks, loop=self._client.loop, timeout=self._patience_seconds)
            try:
                return tasks.index(next(done))
            except TimeoutError as error:
                self._check_workers(error)

    def done(self, task: Any, splits: list[Split]) -> _remote.Done:
        import distributed  # see _connect

        done: _remote.Done
        try:
            done = self._result(task)
        except distributed.KilledWorker:
            # A worker died while it had them: one record may be to blame.
            done = _remote.Done(map(self._watched, splits))
        return done

    def _watched(self, split: Split) -> Any:
        import distributed  # see _connect

        for _ in range(_MOST_TRIES - 1):
            with suppress(
                distributed.KilledWorker
            ):  # somebody else ended it: the one that watches does not die of a record
                return self._result(self._client.submit(_remote.run_watched, self._payload, split, pure=False))
        return self._result(self._client.submit(_remote.run_watched, self._payload, split, pure=False))

    def _result(self, task: Any) -> Any:
        """Return what a task became, however long it takes, as long as there is a worker that may do it."""
        while True:
            try:
                return task.result(timeout=self._patience_seconds)
            except TimeoutError as error:  # of the waiting: what a runner raises comes back as a value
                self._check_workers(error)

    def _check_workers(self, waited: TimeoutError) -> None:
        if not self._client.nthreads():
            message = f"all workers of {self._where} are gone, and none came within {self._patience_seconds:g} seconds"
            raise TimeoutError(message) from waited

    def cancel(self, tasks: list[Any]) -> None:
        self._client.cancel([*self._own, *tasks])


def dask_setup(worker: Any) -> None:
    """Do nothing about Ctrl-C, which a terminal sends to workers of this machine too: the run ends them. Called by Dask."""
    import signal  # where a worker starts

    # A function and not SIG_IGN, which programs that a plugin starts would inherit.
    signal.signal(signal.SIGINT, lambda number, frame: None)


def _gone(client: Any, error: BaseException) -> bool:
    """Whether an error tells that the scheduler is gone: work that was cancelled, or what whoever asked it just then got."""
    from distributed.comm import CommClosedError  # see _connect

    return isinstance(error, CancelledError | asyncio.CancelledError | CommClosedError) or client.status != "running"


async def _prepare_in_thread(shipped: _remote.Shipped, dask_worker: Any) -> _remote.Raised | None:
    """Prepare where tasks are run: Dask itself would do it in another thread, which has plugins of its own."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(dask_worker.executors["default"], _remote.prepare, shipped)


def _same(shipped: _remote.Shipped) -> _remote.Shipped:
    return shipped
