"""A plan to plugins that are loaded and ready, where its splits run."""

from contextlib import ExitStack
from types import TracebackType
from typing import Self, cast

from plugline.discovery.finders import Carried, Modules
from plugline.discovery.trees import MemoryTree
from plugline.errors import ConfigurationError, LoadError, PluginDeclined, PluginRejected, SettingsRefused
from plugline.findings import Finding
from plugline.host.host import Host
from plugline.host.plugin import Plugin
from plugline.pipeline.catalogue import API_VERSION, INTERFACES
from plugline.pipeline.plan import Plan, PluginUse
from plugline.records import Engine, Format, Processor
from plugline.records.loop import StepCall


class BoundPlan:
    """The plugins of a plan, loaded from the sources that it carries.

    Attributes:
        reader: The format of the source.
        steps: What the record loop calls, in order.
        writer: The format of the sink.
    """

    def __init__(self, plan: Plan) -> None:
        """Load everything before the first record.

        Raises:
            ConfigurationError: A plugin cannot be loaded, declines, or refuses its settings; carries all findings.
        """
        self._plan = plan
        self._stack = ExitStack()
        self._folders = [
            self._stack.enter_context(
                Host(
                    Carried(MemoryTree(folder.shown, folder.files), folder.namespace),
                    interface=tuple(INTERFACES.values()),
                    api_version=API_VERSION,
                )
            )
            for folder in plan.folders
        ]
        self._findings: list[Finding] = []
        self._paths: list[str | None] = []
        try:
            self.reader = cast(Format, self._load(plan.reader))
            calls = [cast(Processor, self._load(step.use)) for step in plan.steps]
            self.writer = cast(Format, self._load(plan.writer))
        except BaseException:
            self._stack.close()
            raise
        if self._findings:
            self._stack.close()
            raise ConfigurationError(self._findings)
        self.steps = [
            StepCall(name=step.label, call=call.transform, on_error=step.on_error, file=path)
            for step, call, path in zip(plan.steps, calls, self._paths[1:-1], strict=True)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stack.close()

    def _load(self, use: PluginUse) -> object:
        try:
            handle = self._handle(use)
            self._paths.append(handle.path)
            return handle.load(use.settings or None)
        except SettingsRefused as error:
            base = (use.path[0], "options") if use.kind != "processor" else (*use.path[:-1], "with")
            self._findings += [
                Finding(finding.code, finding.message, self._plan.config.place((*base, *path)), finding.hint)
                for finding, path in zip(error.findings, error.paths, strict=True)
            ]
        except PluginDeclined as error:
            message = f"the {use.kind} {use.name!r} does not apply here: {error.reason}"
            self._findings.append(Finding("C108", message, self._plan.config.place(use.path)))
        except (LoadError, PluginRejected) as error:
            self._findings += error.findings
        return None

    def _handle(self, use: PluginUse) -> Plugin[object]:
        if use.folder is not None:
            return self._folders[use.folder][use.name]
        return self._stack.enter_context(module_host(use))[use.name]


def module_host(use: PluginUse) -> Host[object]:
    """Return a host that holds one installed plugin."""
    target = f"{use.module}:{use.attribute}" if use.attribute else use.module
    return Host(Modules({use.name: target}), interface=(INTERFACES[use.kind],), api_version=API_VERSION)


def load_engine(plan: Plan) -> Engine:
    """Load the plan's engine.

    Raises:
        ConfigurationError: It cannot be loaded.
    """
    use = plan.engine
    try:
        if use.folder is None:
            return cast(Engine, module_host(use)[use.name].load())
        folder = plan.folders[use.folder]
        host: Host[object] = Host(
            Carried(MemoryTree(folder.shown, folder.files), folder.namespace), interface=(Engine,)
        )
        return cast(Engine, host[use.name].load())
    except (LoadError, PluginRejected) as error:
        raise ConfigurationError(error.findings) from error
    except PluginDeclined as error:
        message = f"the engine {use.name!r} does not apply here: {error.reason}"
        raise ConfigurationError([Finding("C108", message, plan.config.place(use.path))]) from error
