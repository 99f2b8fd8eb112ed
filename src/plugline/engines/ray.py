"""Run splits on Ray: on a cluster with an address, or on one of this machine that is started for the run.

Splits are tasks; records never pass through Ray. Needs ``pip install plugline[ray]``, where the run is driven and on workers.
"""

from collections import deque
from collections.abc import Iterable, Iterator
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Ray:
    """Runs splits on Ray.

    Attributes:
        address: Of the cluster (``"ray://10.0.0.5:10001"``, ``"auto"``); empty: one of worker processes on this machine.
        processes: How many workers a cluster of this machine has; 0 stands for the number of processors.
        ordered: Whether parts come in the order of the splits.
    """

    address: str = ""
    processes: int = 0
    ordered: bool = True

    streaming: ClassVar[bool] = True

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        import logging  # noqa: PLC0415 - ray imports it too

        import ray  # noqa: PLC0415 - seconds, and not installed with the tool

        own = not ray.is_initialized()
        if own:
            local: dict[str, Any] = {"num_cpus": self.processes or _remote.processors(), "include_dashboard": False}
            ray.init(
                address=self.address or "local",
                logging_level=logging.CRITICAL,
                log_to_driver=False,
                **({} if self.address else local),
            )
        try:
            yield from self._parts(ray, runner, splits)
        finally:
            if own:
                ray.shutdown()

    def _parts(self, ray: Any, runner: SplitRunner, splits: Iterable[Split]) -> Iterator[Part]:
        # Where a worker dies a split is run again, watched; what a runner raises comes back as a value.
        run = ray.remote(num_cpus=1, max_retries=0)(_remote.run)
        run_watched = ray.remote(num_cpus=1, max_retries=3)(_remote.run_watched)
        payload = ray.put(_remote.ship(runner))
        first, rest = _remote.looked_at(splits, _LOOKED_AT)
        self._prepare(ray, payload, first)
        width = max(2, 2 * int(ray.cluster_resources().get("CPU", 1)))
        waiting: deque[Any] = deque()
        of: dict[Any, Split] = {}
        try:
            while True:
                while len(waiting) < width and (split := next(rest, None)) is not None:
                    reference = run.remote(payload, split)
                    of[reference] = split
                    waiting.append(reference)
                if not waiting:
                    return
                if not self.ordered:
                    done, _ = ray.wait(list(waiting), num_returns=1)
                    waiting.rotate(-waiting.index(done[0]))
                reference = waiting.popleft()
                split = of.pop(reference)
                try:
                    outcome = ray.get(reference)
                except ray.exceptions.RayError:
                    # A worker died while it had it: one record of it may be to blame.
                    outcome = ray.get(run_watched.remote(payload, split))
                yield _remote.taken(outcome)
        finally:
            for reference in waiting:
                ray.cancel(reference, force=True)

    def _prepare(self, ray: Any, payload: Any, first: list[Split]) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy  # noqa: PLC0415 - see run

        nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
        prepare = ray.remote(num_cpus=0, max_retries=3)(_remote.prepare)
        asked = {
            node: prepare.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=True)).remote(
                payload, first
            )
            for node in nodes
        }
        for node, reference in asked.items():
            raised = ray.get(reference)
            if raised is not None:
                error = raised.error()
                error.add_note(f"on the node {node}")
                raise error


_LOOKED_AT = 1_000  # inputs whose presence each node looks for
