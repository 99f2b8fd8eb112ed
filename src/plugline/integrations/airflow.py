"""Airflow operators from files in a folder, and a pipeline file as a DAG. For Airflow 3.

In a DAG file::

    from plugline.integrations.airflow import dag, operators

    Upper = operators("plugins")["Upper"]   # a real BaseOperator subclass, from plugins/upper.py

    orders = dag("orders.toml", schedule="@daily")

Paths are relative to the file that calls. A broken file in the folder breaks no DAG: it is told to the log ``plugline``, and its
operators are not there. A DAG that asks for one of them fails with the finding.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from plugline.errors import PluginRejected, UnknownPlugin
from plugline.host import Host
from plugline.names import did_you_mean

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator


class Operators(Mapping[str, "type[BaseOperator]"]):
    """The operators of a folder, by the name of their class.

    Attributes:
        host: Where they are from, with all that is known of those that are not there.
    """

    def __init__(self, folder: str) -> None:
        from airflow.sdk import BaseOperator  # takes seconds, and only a DAG file needs it

        self.host: Host[BaseOperator] = Host(folder, interface=BaseOperator)
        self._found: dict[str, type[BaseOperator]] = {}
        self._clashes: dict[str, str] = {}
        for plugin in self.host.load_all(instances=False):
            operator = plugin.load_type()
            if operator.__name__ in self._found:
                self._clashes[operator.__name__] = plugin.place.path
            else:
                self._found[operator.__name__] = operator
        if self.host.rejected or self._clashes:
            self._tell()

    def _tell(self) -> None:
        import logging  # Airflow has imported it; the kernel does without

        log = logging.getLogger("plugline")
        for rejected in self.host.rejected:
            log.warning("operators of %s are left out:\n%s", rejected.name, rejected)
        for name, path in self._clashes.items():
            log.warning("the operator %s of %s is left out: another one of that name comes first", name, path)

    def __getitem__(self, name: str) -> "type[BaseOperator]":
        """Return the operator class of this name.

        Raises:
            PluginRejected: No file has it that could be loaded, and one file could not be; carries its findings.
            UnknownPlugin: There is none; also a ``KeyError``'s cousin: a ``LookupError``.
        """
        if name in self._found:
            return self._found[name]
        wanted = name.casefold().replace("_", "")
        for rejected in self.host.rejected:
            # The class of a file that does not run is unknown; the file's name is the best guess.
            if rejected.name.partition(":")[0].casefold().replace("_", "").replace("-", "") in wanted:
                raise PluginRejected(name, rejected.findings)
        known = sorted(self._found)
        raise UnknownPlugin(name, known, did_you_mean(name, known, kind="operators"))

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


_known: dict[str, Operators] = {}


def operators(folder: str | os.PathLike[str]) -> Operators:
    """Return the operators of a folder; a second call in the same process gives the same ones.

    Every class of a file that derives from Airflow's ``BaseOperator`` and is defined in that file is one.
    """
    path = os.path.join(_folder_of_caller(), folder)
    if path not in _known:
        _known[path] = Operators(path)
    return _known[path]


def dag(
    pipeline: str | os.PathLike[str],
    *,
    schedule: Any = None,
    dag_id: str | None = None,
    environment: Mapping[str, str] | None = None,
    arguments: Sequence[str] = (),
    retries: int = 2,
    retry_delay: timedelta = timedelta(minutes=5),
    **keywords: Any,
) -> "DAG":
    """Return a DAG of one task that runs a pipeline file.

    The task is ``plugline run PIPELINE --resume`` in a process of its own: what it says is the task's log, and a retry goes on
    where the try before it ended. Dead letters do not fail the task, unless they are more than the pipeline's
    ``max_errors``; how many there are is its result, which the next tasks may read.

    Args:
        pipeline: Relative to the file that calls this.
        schedule: As Airflow's; none by default.
        dag_id: By default the pipeline file's name without its suffix.
        environment: Variables that the pipeline may read, beside those of the task.
        arguments: More arguments for the command.
        retries: How often a task that failed is tried again.
        retry_delay: How long Airflow waits before that.
        keywords: For Airflow's ``DAG``.
    """
    from airflow.sdk import DAG, task  # takes seconds, and only a DAG file needs it

    path = os.path.join(_folder_of_caller(), pipeline)
    name = dag_id if dag_id is not None else os.path.splitext(os.path.basename(path))[0]
    with DAG(name, schedule=schedule, **keywords) as made:
        task(task_id="run", retries=retries, retry_delay=retry_delay)(run_pipeline)(
            path, dict(environment or {}), list(arguments)
        )
    return made


def run_pipeline(path: str, environment: Mapping[str, str], arguments: Sequence[str] = ()) -> int:
    """Run a pipeline as a task does.

    Returns:
        The exit code: 0, or 1 where there are dead letters.

    Raises:
        RuntimeError: The run ended before its end; carries what it said last.
    """
    command = [sys.executable, "-m", "plugline", "run", path, "--resume", *arguments]
    last: list[str] = []
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if "-" not in arguments else None,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env=os.environ | dict(environment),
        cwd=os.path.dirname(path),
    ) as process:
        assert process.stderr is not None  # noqa: S101 - it was asked for
        for line in process.stderr:
            print(line, end="", flush=True)  # noqa: T201 - what a task prints is its log
            last = [*last[-19:], line]
    if process.returncode not in {0, 1}:
        raise RuntimeError(f"plugline run {path} ended with exit code {process.returncode}:\n{''.join(last)}")
    return process.returncode


def _folder_of_caller() -> str:
    return os.path.dirname(os.path.abspath(sys._getframe(2).f_globals.get("__file__") or "."))  # noqa: SLF001 - as warnings does
