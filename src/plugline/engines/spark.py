"""Run splits on Spark: on a cluster with a master, or in worker processes of this machine.

Splits are the elements of an RDD, one a task; records never pass through Spark. Needs ``pip install 'plugline[spark]'`` and Java
where the run is driven, and plugline on workers.
"""

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, ClassVar

from plugline.engines import _remote
from plugline.engines._desk import Desk
from plugline.records import Part, Split, SplitRunner

VERSION = "1.0"


def available() -> bool | str:
    """Say what is missing where Spark is not installed."""
    if find_spec("pyspark") is None:
        return "it needs the package 'pyspark': pip install 'plugline[spark]'"
    return True


@dataclass(kw_only=True)
class Spark:
    """Runs splits on Spark.

    Attributes:
        address: The master (``"spark://10.0.0.5:7077"``, ``"yarn"``); empty: worker processes on this machine.
        processes: How many workers this machine has; 0 stands for the number of processors.
        ordered: Whether parts come in the order of the splits; here they always do.
        tasks_a_job: How many tasks a job of Spark's has for each worker. More cost memory where the run is driven, fewer
            cost a job's overhead, which is some hundredths of a second, more often.
        patience_seconds: How long to wait for a worker where there is none.
        dashboard: Whether Spark on this machine has its web UI.
    """

    address: str = ""
    processes: int = 0
    ordered: bool = True
    tasks_a_job: int = 4
    patience_seconds: float = 60.0
    dashboard: bool = True

    streaming: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Nothing is started yet. The cluster and where its dashboard is are kept from run to run, until it is closed.

        Raises:
            ValueError: A setting is out of its range.
        """
        _remote.check_settings(self.processes, self.patience_seconds)
        if self.tasks_a_job < 1:
            raise ValueError(f"{self.tasks_a_job} tasks are no job, expected tasks_a_job of 1 or more")
        self.dashboard_url: str | None = None
        self._stack = ExitStack()
        self._context: Any = None

    def run(self, runner: SplitRunner, splits: Iterable[Split], /) -> Iterator[Part]:
        """Yield the part of each split."""
        if self._context is None:
            self._context = self._stack.enter_context(self._connected())
            self.dashboard_url = self._context.uiWebUrl
        context = self._context
        width = max(1, context.defaultParallelism)
        # Two jobs at a time, so that nobody waits for the last task of one.
        with closing(Desk()) as desk, ThreadPoolExecutor(2) as pool:
            payload = context.broadcast(_remote.ship(runner, desk))
            try:
                preparing = pool.submit(_collected, context, range(width), partial(_prepared, payload))
                for raised in self._result(context, preparing):
                    _remote.check_prepared(raised)
                job = partial(_run_all, context, payload)
                yield from self._parts(
                    context, pool, job, _remote.Splits(splits, 2 * width), desk, width * self.tasks_a_job
                )
            except BaseException:
                with suppress(Exception):  # of a Java process that has gone; what it was told first counts
                    context.cancelAllJobs()
                raise

    def close(self) -> None:
        """End what was started; a cluster that was there before goes on."""
        self._context = None
        self._stack.close()

    def _parts(
        self,
        context: Any,
        pool: ThreadPoolExecutor,
        job: Callable[[list[list[Split]]], list[_remote.Done]],
        left: _remote.Splits,
        desk: Desk,
        tasks: int,
    ) -> Iterator[Part]:
        jobs: deque[Future[list[_remote.Done]]] = deque()
        while jobs or left.more:
            while len(jobs) < 2 and (some := _groups(left, tasks)):
                jobs.append(pool.submit(job, some))
            if jobs:
                for done in self._result(context, jobs.popleft()):
                    splits = 0
                    for part in _remote.parts_of(done, desk):
                        splits += 1
                        yield part
                    left.grouping.took(splits, done.seconds)

    def _result(self, context: Any, job: Future[list[Any]]) -> list[Any]:
        """Return what a job became, however long it takes, as long as somebody does something of it."""
        while True:
            try:
                return job.result(timeout=self.patience_seconds)
            except TimeoutError:
                if job.done():
                    return job.result()
                if not _is_busy(context):
                    where = self.address or "this machine"
                    raise TimeoutError(f"no worker came to {where} within {self.patience_seconds:g} seconds") from None

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        import os
        import signal
        import sys

        import pyspark  # a second, and not installed with the tool

        active = pyspark.SparkContext._active_spark_context  # noqa: SLF001 - there is no public way to ask
        if active is not None:
            yield active
            return
        # The interpreter that has plugline, on this machine and, where it is of the same name there, on workers.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        # 4 tries, as on a cluster: local[2] alone gives up at the first worker that is lost.
        master = self.address or f"local[{self.processes or _remote.processors()},4]"
        settings = (
            pyspark.SparkConf()
            .setMaster(master)
            .setAppName("plugline")
            .set("spark.log.level", "OFF")
            .set("spark.ui.showConsoleProgress", "false")
        )
        if not self.address:
            # Nobody but this machine is to see it, or to end jobs there.
            os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
            settings = settings.set("spark.driver.host", "127.0.0.1").set("spark.ui.port", "0")
            settings = settings.set("spark.ui.enabled", "true" if self.dashboard else "false")
            settings = settings.set("spark.driver.extraJavaOptions", _JAVA_OPTIONS)
        handler = signal.getsignal(signal.SIGINT)
        context = pyspark.SparkContext(conf=settings)
        with suppress(ValueError, TypeError):  # not in the main thread, where Spark has not set its own either
            # Spark's talks to Java in the middle of whatever is being said to Java.
            signal.signal(signal.SIGINT, handler)
        try:
            yield context
        finally:
            with suppress(Exception):  # it may have gone before
                context.stop()
            _end_java(pyspark.SparkContext)


# Java only gives out tasks here: compiling itself thoroughly and collecting on all processors took more than half of what it did.
_JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


def _groups(left: _remote.Splits, most: int) -> list[list[Split]]:
    groups: list[list[Split]] = []
    while len(groups) < most and (group := left.take()):
        groups.append(group)
    return groups


def _is_busy(context: Any) -> bool:
    """Whether any task is being done."""
    tracker = context.statusTracker()
    stages = (tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds())
    return any(stage is not None and stage.numActiveTasks > 0 for stage in stages)


def _run_all(context: Any, payload: Any, groups: Sequence[Sequence[Split]]) -> list[_remote.Done]:
    from py4j.protocol import Py4JJavaError  # comes with pyspark

    try:
        return _collected(context, groups, partial(_run_group, payload))
    except Py4JJavaError:
        # A worker died four times over one of them: each is watched now, so that the record which kills is found.
        splits = [split for group in groups for split in group]
        return [_remote.Done(_collected(context, splits, partial(_run_watched, payload)))]


def _collected(context: Any, values: Sequence[Any], function: Any) -> list[Any]:
    collected: list[Any] = context.parallelize(values, len(values)).map(function).collect()
    return collected


# ----------------------------------------------------------------------------- on workers


def _prepared(payload: Any, _: object) -> _remote.Raised | None:
    raised = _remote.prepare(payload.value)
    _freeze()
    return raised


def _run_group(payload: Any, splits: Sequence[Split]) -> _remote.Done:
    done = _remote.run_all(payload.value, splits)
    _freeze()
    return done


def _run_watched(payload: Any, split: Split) -> _remote.Outcome:
    return _remote.run_watched(payload.value, split)


def _freeze() -> None:
    """Let the collector alone with what is loaded: Spark's workers call it after every task, and it would take as long as that."""
    if not gc.get_freeze_count():
        gc.collect()
        gc.freeze()


# ----------------------------------------------------------------------------- its Java


def _end_java(context_class: Any) -> None:
    """End the Java process, which would go on until this program ends; a later context starts another."""
    gateway, context_class._gateway, context_class._jvm = context_class._gateway, None, None  # noqa: SLF001 - see above
    with suppress(Exception):  # it is ending; what it says to that is nobody's concern
        gateway.shutdown()
    process = getattr(gateway, "proc", None)
    if process is not None:
        process.stdin.close()
        process.wait(timeout=30)
