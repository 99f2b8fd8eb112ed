"""Run splits on Dask: on a cluster whose scheduler has an address, or on one of this machine that is started for the run.

Splits are tasks; records never pass through Dask. Needs ``pip install plugline[dask]``, where the run is driven and on workers.
"""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from plugline.engines import _remote
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
        """Nothing is started yet. The cluster and where its dashboard is are kept from run to run, until it is closed."""
        self.dashboard_url: str | None = None
        self._stack = ExitStack()
        self._client: Any = None

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        if self._client is None:
            self._client = self._connect(self._stack)
        try:
            yield from self._parts(self._client, runner, splits)
        except (CancelledError, asyncio.CancelledError) as error:
            message = f"the scheduler {self.address or 'of this machine'} went away, or forgot the work"
            raise ConnectionError(message) from error

    def close(self) -> None:
        """End what was started; a cluster that was there before goes on."""
        self._client = None
        self._stack.close()

    def _connect(self, stack: ExitStack) -> Any:
        # Half a second, and not installed with the tool.
        import logging  # noqa: PLC0415

        import dask  # noqa: PLC0415
        import distributed  # noqa: PLC0415

        # What a worker died of is run again where a death costs nothing, so one of them is enough: each takes seconds.
        stack.enter_context(dask.config.set({"distributed.scheduler.allowed-failures": 0}))
        logging.getLogger("distributed").setLevel(logging.CRITICAL)  # what matters of it is raised
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
                )
            )
        try:
            client = stack.enter_context(distributed.Client(place, timeout=self.patience_seconds, set_as_default=False))
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
        import distributed  # noqa: PLC0415 - see _connect

        shipped = _remote.ship(runner)
        for address, raised in client.run(_remote.prepare, shipped).items():
            _remote.check_prepared(raised, f"the worker {address}")
        # As a task and not as scattered data: when a worker is lost, it can be made again.
        payload = client.submit(_same, shipped, key=f"plugline-{shipped.digest}")
        width = max(2, 2 * sum(client.nthreads().values()))
        waiting: deque[Any] = deque()
        of: dict[str, Split] = {}
        left = _remote.Splits(splits)
        try:
            while waiting or left.more:
                for split in left.take(width - len(waiting)):
                    future = client.submit(_remote.run, payload, split, pure=False)
                    of[future.key] = split
                    waiting.append(future)
                if not waiting:
                    continue
                if not self.ordered:
                    with suppress(distributed.KilledWorker):  # told by its result below
                        distributed.wait(list(waiting), return_when="FIRST_COMPLETED")
                    waiting.rotate(-next(at for at, one in enumerate(waiting) if one.done()))
                future = waiting.popleft()
                split = of.pop(future.key)
                try:
                    outcome = self._result(client, future)
                except distributed.KilledWorker:
                    # A worker died while it had it: one record of it may be to blame.
                    again = client.submit(_remote.run_watched, payload, split, pure=False)
                    outcome = self._result(client, again)
                yield _remote.taken(outcome)
        finally:
            client.cancel([payload, *waiting])

    def _result(self, client: Any, future: Any) -> Any:
        """Return what a task became, however long it takes, as long as there is a worker that may do it."""
        while True:
            try:
                return future.result(timeout=self.patience_seconds)
            except TimeoutError as error:  # of the waiting: what a runner raises comes back as a value
                if not client.nthreads():
                    where = self.address or "this machine"
                    message = f"all workers of {where} are gone, and none came within {self.patience_seconds:g} seconds"
                    raise TimeoutError(message) from error


def _same(shipped: _remote.Shipped) -> _remote.Shipped:
    return shipped
