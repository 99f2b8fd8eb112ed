"""A plan to plugins that are loaded and ready, where its splits run."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from types import ModuleType
from typing import Self, TypedDict, cast

from plugline.blame import describe_error, users_own_interrupt
from plugline.discovery.finders import Carried, Modules
from plugline.discovery.trees import MemoryTree
from plugline.errors import (
    ConfigurationError,
    LoadError,
    PluginDeclined,
    PluginRejected,
    SettingsRefused,
    UnknownPlugin,
)
from plugline.findings import Finding, Place, apart
from plugline.host.host import SLOW_LOAD_SECONDS, Host
from plugline.host.plugin import Plugin
from plugline.logged import log_warning
from plugline.names import shell_word
from plugline.pipeline.catalogue import API_VERSION, INTERFACES, Kind
from plugline.pipeline.plan import Plan, PluginUse, StepPlan
from plugline.records import Engine, Format, Processor, TableProcessor
from plugline.records.loop import StepCall

TYPE_CHECKING = False
if TYPE_CHECKING:  # made where the plan was, if a step is isolated
    from plugline.isolation.levels import Confinement, Level
    from plugline.worker.limits import Sandbox


class BoundPlan:
    """The plugins of a plan, loaded from the sources that it carries.

    Attributes:
        steps: What the record loop calls, in order.
        separator: What the sink's format puts between two parts that both hold records.
        stateful: The names of the steps that say ``STATEFUL = True``: what they return depends on the records before, so
            all records have to pass through them in order, in one process.
    """

    def __init__(self, plan: Plan) -> None:
        """Load everything before the first record.

        Raises:
            ConfigurationError: A plugin cannot be loaded, declines, or refuses its settings; carries all findings.
        """
        self._plan = plan
        self._stack = ExitStack()
        self._folders: dict[tuple[int, Kind], Host[object]] = {}
        self._modules: dict[tuple[str, Kind, str, str], Host[object]] = {}
        self._findings: list[Finding] = []
        self._paths: list[str | None] = []
        try:
            self.reader = cast(Format, self._load(plan.reader))
            calls = [self._load(step.use, step.isolation) for step in plan.steps]
            self.stateful = tuple(
                step.label for step, call in zip(plan.steps, calls, strict=True) if self._is_stateful(step.use, call)
            )
            self.writer = cast(Format, self._load(plan.writer))
            self.separator = b""
            if not self._findings:
                self._try_formats()
        except BaseException:
            self._stack.close()
            raise
        if self._findings:
            self._stack.close()
            raise ConfigurationError(plan.config.veiled(self._findings))
        self.steps = [
            _step_call(step, call, path) for step, call, path in zip(plan.steps, calls, self._paths[1:-1], strict=True)
        ]
        if plan.retries:
            from plugline.pipeline.retry import Retried  # seldom

            tables = tuple(number for number, step in enumerate(self.steps, 1) if step.table is not None)
            self.reader = Retried(self.reader, tables)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _load(self, use: PluginUse, isolation: "Confinement | None" = None) -> object:
        try:
            handle = self._handle(use, isolation)
            self._paths.append(handle.path)
            # With settings, though there may be none: two steps of one class share no instance.
            return handle.load(self._plan.settings_of(use))
        except (SettingsRefused, PluginDeclined, LoadError, PluginRejected, UnknownPlugin) as error:
            found = _findings_of(error, use, self._plan)
            confined = isolation is not None and isolation.level == "sandbox"
            self._findings += map(_of_sandbox, found) if confined else found
        return None

    def _is_stateful(self, use: PluginUse, call: object) -> bool:
        if call is None:
            return False
        if _is_apart(call):
            from plugline.isolation.proxies import is_stateful  # loaded by now

            return is_stateful(call)
        module = sys.modules.get(call.__module__) if not isinstance(call, ModuleType) else call
        return bool(getattr(call, "STATEFUL", False) or getattr(module, "STATEFUL", False))

    def _handle(self, use: PluginUse, isolation: "Confinement | None") -> Plugin[object]:
        if use.folder is None:
            return self._module_host(use, isolation)[use.name]
        # A host a kind: a file may hold a processor and a format. And each isolated step has a worker of its own.
        key = use.folder, use.kind
        if isolation is not None:
            return self._stack.enter_context(_folder_host(self._plan, use.folder, use.kind, isolation))[use.name]
        if key not in self._folders:
            self._folders[key] = self._stack.enter_context(_folder_host(self._plan, use.folder, use.kind))
        return self._folders[key][use.name]

    def _module_host(self, use: PluginUse, isolation: "Confinement | None") -> Host[object]:
        if isolation is not None:
            return self._stack.enter_context(module_host(use, isolation))
        key = use.name, use.kind, use.module, use.attribute  # the format of the source is most often the sink's, too
        if key not in self._modules:
            self._modules[key] = self._stack.enter_context(module_host(use))
        return self._modules[key]

    def _try_formats(self) -> None:
        """Make a reader and a writer: settings that they refuse are known before the first record."""
        for use, action in ((self._plan.reader, self._try_reader), (self._plan.writer, self._try_writer)):
            try:
                action()
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                if isinstance(error, ValueError) and _is_shipped(use):
                    self._findings.append(_refused(error, use, self._plan))
                    continue
                said = describe_error(error)
                place = Place(said.path, said.line) if said.path is not None else use.place
                message = f"the format {use.name!r} cannot be used: {said.said}"
                self._findings.append(Finding("C108", message, place))

    def _try_reader(self) -> None:
        reader = self.reader.reader()
        _ = reader.batches, reader.decode

    def _try_writer(self) -> None:
        writer = self.writer.writer()
        _ = writer.open, writer.encode, writer.write, writer.close, writer.columns
        self.separator = writer.separator


def _step_call(step: StepPlan, processor: object, path: str | None) -> StepCall:
    """Return what the record loop calls; of a processor that takes records and tables, records."""
    call = StepCall(name=step.label, on_error=step.on_error, file=path, shown=step.use.place.path)
    if _is_apart(processor) and hasattr(processor, "transform"):
        from plugline.isolation.batches import IsolatedBatch  # needs msgspec, which not everybody has

        return replace(call, batch=IsolatedBatch(processor, on_quarantine=step.on_quarantine))
    if hasattr(processor, "transform"):
        return replace(call, call=cast("Processor", processor).transform)
    return replace(call, table=cast("TableProcessor", processor).transform_batch)


def findings_of_shipped(plan: Plan) -> Iterator[Finding]:
    """Load what a plan uses of the formats and processors that are shipped, and yield what keeps them from being used.

    What strangers wrote is not run: what their plugins think of their settings is known when the plan is bound.
    """
    for use in (plan.reader, *(step.use for step in plan.steps), plan.writer):
        if not _is_shipped(use):
            continue
        with module_host(use) as host:
            try:
                made = host[use.name].load(use.settings)
                if use.kind == "format":
                    form = cast("Format", made)
                    (form.reader if use.path[0] == "source" else form.writer)()
            except (SettingsRefused, PluginDeclined, LoadError, PluginRejected, UnknownPlugin) as error:
                yield from plan.config.veiled(_findings_of(error, use, plan))
            except ValueError as error:
                yield from plan.config.veiled([_refused(error, use, plan)])


def _is_shipped(use: PluginUse) -> bool:
    return use.folder is None and use.module.startswith("plugline.")


def _refused(error: ValueError, use: PluginUse, plan: Plan) -> Finding:
    """Return the finding for settings that a format of ours refuses where it makes a reader or a writer."""
    said, hint = apart(str(error))
    message = f"the format {use.name!r} cannot be used like this: {said}"
    more = hint or f"plugline info {shell_word(use.name)} tells its settings"
    return Finding("C104", message, plan.config.place((use.path[0], "options")), more)


def _findings_of(
    error: SettingsRefused | PluginDeclined | LoadError | PluginRejected | UnknownPlugin, use: PluginUse, plan: Plan
) -> tuple[Finding, ...]:
    if isinstance(error, SettingsRefused):
        base = (use.path[0], "options") if use.kind != "processor" else (*use.path[:-1], "with")
        more = f"plugline info {shell_word(use.name)} tells its settings"
        # What a constructor raises is about all of the settings, and these are the user's, also where there are none.
        return tuple(
            Finding(finding.code, finding.message, plan.config.place((*base, *path)), (path and finding.hint) or more)
            for finding, path in zip(error.findings, error.paths, strict=True)
        )
    if isinstance(error, PluginDeclined):
        # What our own reasons say is to be done can be pasted: "it needs the package 'x': pip install x".
        _, install, package = error.reason.partition(": pip install ")
        hint = f"pip install {package}" if install else None
        message = f"the {use.kind} {use.name!r} does not apply here: {error.reason}"
        return (Finding("C108", message, plan.config.place(use.path), hint),)
    if not isinstance(error, UnknownPlugin):
        return error.findings
    # Found when the plan was made, and gone since.
    message = f"the {use.kind} {use.name!r} is not there any more"
    return (Finding("C106", message, plan.config.place(use.path)),)


def _of_sandbox(finding: Finding) -> Finding:
    """Return what is found wrong with a step in a sandbox: a file that everybody may read is to be granted to it."""
    if os.strerror(errno.EACCES) not in finding.message:
        return finding
    hint = 'a step in a sandbox reads what it was granted: sandbox = { read = ["FILE"] } in the step grants a file or a folder'
    return Finding(finding.code, finding.message, finding.place, hint)


def _is_apart(processor: object) -> bool:
    """Whether it runs in a worker: because its step says so, or because its dependencies are in another environment."""
    proxies = sys.modules.get("plugline.isolation.proxies")  # imported by whoever made one
    return proxies is not None and isinstance(processor, proxies.Proxy)


class _Where(TypedDict, total=False):
    """How a host is told where its plugins run."""

    isolation: "Level"
    limits: "Sandbox"


def _where(isolation: "Confinement | None") -> _Where:
    return {"isolation": isolation.level, "limits": isolation.limits} if isolation is not None else {}


def _folder_host(plan: Plan, index: int, kind: Kind, isolation: "Confinement | None" = None) -> Host[object]:
    folder = plan.folders[index]
    tree = MemoryTree(folder.shown, folder.files)
    # Where the plan was made, and not where it happens to be run: plugins look for data beside __file__.
    tree.real = os.path.abspath(plan.located(folder.shown))
    return Host(
        Carried(tree, folder.namespace), interface=INTERFACES[kind], api_version=API_VERSION, **_where(isolation)
    )


def module_host(use: PluginUse, isolation: "Confinement | None" = None) -> Host[object]:
    """Return a host that holds one installed plugin."""
    target = f"{use.module}:{use.attribute}" if use.attribute else use.module
    return Host(
        Modules({use.name: target}),
        interface=INTERFACES[use.kind],
        api_version=API_VERSION,
        # What is shipped is not told to be slow: it is what it imports.
        slow_load_seconds=None if use.module.startswith("plugline.") else SLOW_LOAD_SECONDS,
        **_where(isolation),
    )


@contextmanager
def bound_engine(plan: Plan) -> Iterator[Engine]:
    """Load the plan's engine, for as long as the block runs.

    Raises:
        ConfigurationError: It cannot be loaded.
    """
    use = plan.engine
    with module_host(use) if use.folder is None else _folder_host(plan, use.folder, "engine") as host:
        try:
            engine = cast(Engine, host[use.name].load(use.settings))
        except (PluginDeclined, LoadError, PluginRejected, UnknownPlugin) as error:
            raise ConfigurationError(plan.config.veiled(_findings_of(error, use, plan))) from error
        try:
            yield engine
        finally:
            _close(engine, use.name)


def _close(engine: Engine, name: str) -> None:
    """Close an engine where it has something to close. What the run became is as it is, whatever that raises."""
    close = getattr(engine, "close", None)
    if close is None:
        return
    try:
        close()
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        log_warning(__name__, "the engine %r could not be closed: %s", name, describe_error(error))
