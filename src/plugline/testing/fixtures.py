"""The fixtures that ``pytest_plugins = ["plugline.testing"]`` brings, and one step on some records, as a run does it."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from plugline import clock
from plugline.discovery.finders import File
from plugline.dispatch.copies import structural_copy
from plugline.errors import ConfigurationError, PluginRejected
from plugline.findings import Finding, Place
from plugline.host import Host
from plugline.pipeline.bound import BoundPlan
from plugline.pipeline.cases import WITHOUT_FILES
from plugline.pipeline.catalogue import ANY_INTERFACE, API_VERSION
from plugline.pipeline.config import Override, read_config
from plugline.pipeline.plan import make_plan
from plugline.records import Record
from plugline.records.loop import Failure, RecordLoop, StopRun


class StepRefused(ConfigurationError):
    """The plugin, or its settings, would be refused by a run; carries all findings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepOutcome:
    """What a step made of some records.

    Attributes:
        records: Those that went on, in order.
        failures: One for each record that it failed on: ``index`` says which, from 0, ``error`` what it raised and where.
        dropped: How many it returned ``None`` or nothing for.
        created: How many more it made than it got, where it returned several for one.
    """

    records: list[Record]
    failures: list[Failure]
    dropped: int
    created: int


def class_in(path: str | os.PathLike[str]) -> tuple[str, str]:
    """Return a path, and the class that is named behind it: ``plugins/upper.py:Twice``."""
    stem, found, class_name = os.fspath(path).rpartition(".py:")
    return (f"{stem}.py", class_name) if found else (class_name, "")


def run_plugin(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    settings: Mapping[str, object] | None = None,
    *,
    on_error: str = "dead-letter",
) -> StepOutcome:
    """Run a processor on records as a pipeline would, with its checks and its copies; no file is read or written.

    Args:
        path: The plugin's file or folder, with a class where there are several (``plugins/upper.py:Twice``), or the name of one
            that plugline ships.
        records: Left as they are.
        settings: As under ``with`` of a step.
        on_error: As of a step.

    Raises:
        StepRefused: The plugin or its settings are refused.
    """
    is_path = not isinstance(path, str)
    path, class_name = class_in(path)
    file = os.path.abspath(path)
    if os.path.basename(file) == "__init__.py":
        file = os.path.dirname(file)
    folder, name = os.path.split(file)
    own = os.path.exists(file)
    if not own and (is_path or path.endswith(".py") or os.path.dirname(path)):
        hint = f"a path is relative to the working folder, which is {os.getcwd()}"
        raise StepRefused((Finding("P101", "cannot be read: there is no such file", Place(path), hint),))
    use = name.removesuffix(".py") if own else path
    step: dict[str, object] = {"use": f"{use}:{class_name}" if class_name else use, "on_error": on_error}
    if settings:
        step["with"] = dict(settings)
    overrides = (
        *WITHOUT_FILES,
        Override(path=("plugins",), value=[folder] if own else [], origin=Place("run_step")),
        Override(path=("steps",), value=[step], origin=Place("run_step")),
    )
    try:
        plan = make_plan(read_config("", "run_step", overrides), folder)
        with BoundPlan(plan) as bound:
            loop = RecordLoop(structural_copy, bound.steps, structural_copy)
            out: list[object] = []
            failures: list[Failure] = []
            try:
                loop.run(list(records), out, failures)
            except StopRun as stop:
                failures.append(stop.failure)
            counts = loop.counts()[1]
    except ConfigurationError as error:
        raise StepRefused(error.findings) from error
    return StepOutcome(
        records=[one for one in out if isinstance(one, dict)],
        failures=failures,
        dropped=counts.dropped,
        created=counts.created,
    )


_TOOL = ANY_INTERFACE


class JumpingClock:
    """All of plugline's time, standing still until it is moved: no test need sleep.

    Not promised: anything about code that asks :mod:`time` itself.
    """

    def __init__(self, unix_seconds: float) -> None:
        self._monotonic_seconds = 0.0
        self._unix_seconds = unix_seconds

    def jump(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: ``seconds`` is negative; the time of day is moved back by :meth:`set_back`.
        """
        if seconds < 0:
            raise ValueError(f"{seconds!r} seconds cannot pass, a number from 0 was expected")
        self._monotonic_seconds += seconds
        self._unix_seconds += seconds

    def set_back(self, seconds: float) -> None:
        """Set the time of day back, as a correction does; what is measured goes on."""
        self._unix_seconds -= seconds

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Be the clock while the block runs."""
        names = vars(clock)
        real = {name: names[name] for name in ("perf_counter", "time", "time_ns")}
        names["perf_counter"] = lambda: self._monotonic_seconds
        names["time"] = lambda: self._unix_seconds
        names["time_ns"] = lambda: round(self._unix_seconds * 1e9)
        try:
            yield
        finally:
            names.update(real)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Callable[..., Host[Any]]]:
    """Return a function that opens a :class:`plugline.Host`, which is closed when the test ends.

    ``host("plugins", interface=...)`` for a folder; ``host({"upper.py": "..."}, interface=...)`` for files that it writes for
    you, dedented. Everything else is for the host.
    """
    with ExitStack() as stack:

        def opened(files: "Mapping[str, str | bytes] | str | os.PathLike[str]", **options: Any) -> Host[Any]:
            place: str | os.PathLike[str]
            if isinstance(files, Mapping):
                place = tmp_path / "plugins"
                for name, content in files.items():
                    path = place / name
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
            else:
                place = files
            return stack.enter_context(Host(place, **options))

        yield opened


@pytest.fixture
def plugin() -> Iterator[Callable[..., Any]]:
    """Return a function that loads one plugin, as the tool would: ``plugin("plugins/upper.py", {"fields": ["name"]})``.

    With settings, or where the plugin is a class, it gives an instance; else the module. Of a file with several classes it is asked
    for one: ``plugin("plugins/upper.py:Twice")``. What would keep the tool from using it
    raises, with all findings. ``interface=`` says what it is for another host.
    """
    with ExitStack() as stack:

        def loaded(
            path: str | os.PathLike[str],
            settings: Mapping[str, object] | None = None,
            *,
            interface: Any = _TOOL,
            api_version: str | None = API_VERSION,
        ) -> Any:
            path, class_name = class_in(path)
            opened: Host[Any] = stack.enter_context(Host(File(path), interface=interface, api_version=api_version))
            plugins = list(opened)
            if not plugins:
                findings = [finding for rejected in opened.rejected for finding in rejected.findings]
                raise PluginRejected(os.path.basename(path), tuple(findings) or opened.findings)
            name = plugins[0].name.partition(":")[0]
            return opened[f"{name}:{class_name}" if class_name else name].load(settings)

        yield loaded


@pytest.fixture
def run_step() -> Callable[..., StepOutcome]:
    """Return a function that runs a processor on records as a pipeline would.

    ``run_step("plugins/upper.py", [{"name": "Ada"}], {"fields": ["name"]})`` gives a
    :class:`~plugline.testing.StepOutcome` with ``records``, ``failures``, ``dropped`` and ``created``.
    """
    return run_plugin


@pytest.fixture
def jumping_clock() -> Iterator[JumpingClock]:
    """Make plugline's time stand still until the test moves it: ``jumping_clock.jump(seconds=5)``."""
    clock = JumpingClock(unix_seconds=1_700_000_000.0)
    with clock.in_force():
        yield clock
