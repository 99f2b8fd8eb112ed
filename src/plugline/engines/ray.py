"""Run splits on Ray: on a cluster with an address, or on one of this machine that is started for the run.

Splits are tasks; records never pass through Ray. Needs ``pip install plugline[ray]``, where the run is driven and on workers.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from plugline.engines import _remote
from plugline.records import Part, Split, SplitRunner

VERSION = "1.0"


def available() -> bool | str:
    """Say what is missing where Ray is not installed."""
    if find_spec("ray") is None:
        return "it needs the package 'ray': pip install 'plugline[ray]'"
    return True


@dataclass(kw_only=True)
class Ray:
    """Runs splits on Ray.

    Attributes:
        address: Of the cluster (``"ray://10.0.0.5:10001"``, ``"auto"``); empty: one of worker processes on this machine.
        processes: How many workers a cluster of this machine has; 0 stands for the number of processors.
        ordered: Whether parts come in the order of the splits.
        patience_seconds: How long to wait for a worker where there is none.
        dashboard: Whether a cluster of this machine has Ray's dashboard, where ray[default] is installed.
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
        self._ray: Any = None

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        if self._ray is None:
            self._ray = self._connect(self._stack)
        yield from self._parts(self._ray, runner, splits)

    def close(self) -> None:
        """End what was started; a cluster that was there before goes on."""
        self._ray = None
        self._stack.close()

    def _connect(self, stack: ExitStack) -> Any:
        import logging  # noqa: PLC0415 - ray imports it too

        import ray  # noqa: PLC0415 - seconds, and not installed with the tool

        if not ray.is_initialized():
            local: dict[str, Any] = {
                "num_cpus": self.processes or _remote.processors(),
                "include_dashboard": self.dashboard and find_spec("aiohttp_cors") is not None,
                "dashboard_port": 0,
            }
            stack.callback(ray.shutdown)
            context = ray.init(
                address=self.address or "local",
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                **({} if self.address else local),
            )
            url = getattr(context, "dashboard_url", "")
            self.dashboard_url = f"http://{url}" if url else None
        return ray

    def _parts(self, ray: Any, runner: SplitRunner, splits: Iterable[Split]) -> Iterator[Part]:
        tasks = _Tasks(ray, runner, self.patience_seconds, self.address or "this machine")
        tasks.wait_for_worker()
        tasks.prepare()
        width = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        yield from _remote.parts(tasks, splits, width=width, ordered=self.ordered)


class _Tasks:
    """Tasks of Ray; see :class:`~plugline.engines._remote.Tasks`."""

    def __init__(self, ray: Any, runner: SplitRunner, patience_seconds: float, where: str) -> None:
        self._ray = ray
        self._patience_seconds = patience_seconds
        self._where = where
        # Where a worker dies a split is run again, watched; what a runner raises comes back as a value.
        self._run = ray.remote(num_cpus=1, max_retries=0)(_remote.run_all)
        self._run_watched = ray.remote(num_cpus=1, max_retries=3)(_remote.run_watched)
        self._payload = ray.put(_remote.ship(runner))

    def prepare(self) -> None:
        """Ask each node whether it can do the work."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - see _connect

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

    def start(self, splits: list[Split]) -> Any:
        return self._run.remote(self._payload, splits)

    def first_done(self, tasks: list[Any]) -> int:
        done, _ = self._ray.wait(tasks, num_returns=1)
        return tasks.index(done[0])

    def outcomes(self, task: Any, splits: list[Split]) -> Iterable[Part | _remote.Raised]:
        outcomes: Iterable[Part | _remote.Raised]
        try:
            outcomes = self._result(task)
        except self._ray.exceptions.RayError:
            # A worker died while it had them: one record may be to blame.
            outcomes = (self._result(self._run_watched.remote(self._payload, split)) for split in splits)
        return outcomes

    def _result(self, reference: Any) -> Any:
        """Return what a task became, however long it takes, as long as there is a worker that may do it."""
        while True:
            try:
                return self._ray.get(reference, timeout=self._patience_seconds)
            except self._ray.exceptions.GetTimeoutError:
                self.wait_for_worker()

    def wait_for_worker(self) -> None:
        """Wait until a node has a processor for tasks.

        Raises:
            TimeoutError: None has for too long.
        """
        end = time.monotonic() + self._patience_seconds
        while self._ray.cluster_resources().get("CPU", 0) < 1:
            if time.monotonic() > end:
                message = f"no worker came to {self._where} within {self._patience_seconds:g} seconds: no node has a processor for tasks"
                raise TimeoutError(message)
            time.sleep(_BETWEEN_LOOKS_SECONDS)

    def cancel(self, tasks: list[Any]) -> None:
        for reference in tasks:
            self._ray.cancel(reference, force=True)


_BETWEEN_LOOKS_SECONDS = 0.1
