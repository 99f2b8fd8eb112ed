"""Run splits on Ray: on a cluster with an address, or on one of this machine that is started for the run.

Splits are tasks; records never pass through Ray. Needs ``pip install 'plugline[ray]'``, where the run is driven and on workers.
"""

import sys
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, ClassVar

from plugline.engines import _remote
from plugline.engines._desk import Desk
from plugline.engines._ray import Client, FarTasks, Tasks
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
        """Nothing is started yet. The cluster and where its dashboard is are kept from run to run, until it is closed.

        Raises:
            ValueError: A setting is out of its range.
        """
        _remote.check_settings(self.processes, self.patience_seconds)
        self.dashboard_url: str | None = None
        self._client: Client | None = None

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        where = self.address or "this machine"
        with closing(Desk()) as desk:
            shipped = _remote.ship(runner, desk)
            tasks: _remote.Tasks[Any]
            if _is_connected():
                here = tasks = Tasks(shipped, self.patience_seconds, where)
                count = here.prepare()
            else:
                if self._client is None:
                    client = self._client = Client(where)
                    try:
                        self.dashboard_url = client.ask("connect", self.address, self.processes, self.dashboard)
                    except ConnectionError as error:
                        message = f"no scheduler answers at {where}; is it running, and the address right?"
                        raise ConnectionError(message) from error
                count = self._client.ask("begin", shipped, self.patience_seconds, where)
                tasks = FarTasks(self._client)
            yield from _remote.parts(tasks, splits, desk, width=max(2, 2 * count), ordered=self.ordered)

    def close(self) -> None:
        """End what was started; a cluster that was there before goes on."""
        client, self._client = self._client, None
        if client is not None:
            client.close()


def _is_connected() -> bool:
    """Whether the program that drives the run is connected to Ray itself."""
    ray = sys.modules.get("ray")
    return ray is not None and ray.is_initialized()
