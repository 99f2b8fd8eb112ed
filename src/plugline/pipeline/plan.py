"""A configuration to a plan: every plugin found, every setting checked as far as source shows it, nothing run yet.

A plan is data: it pickles, and holds the plugins' sources and not the plugins.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plugline.contract.settings import Problem, check, fields_of_source
from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.source import parse_source
from plugline.discovery.trees import Tree
from plugline.errors import ConfigurationError
from plugline.files import SourceFile, read_source
from plugline.findings import Finding, Place
from plugline.host.plugin import Plugin
from plugline.pipeline.carried import carry
from plugline.pipeline.catalogue import Catalogue, Kind
from plugline.pipeline.config import ErrorLimit, PipelineConfig
from plugline.pipeline.streams import expand_source, inner_suffix
from plugline.records import Split
from plugline.records.loop import OnError


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedFolder:
    """A plugin folder's files that a plan needs, by relative path."""

    shown: str
    namespace: str
    files: Mapping[str, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginUse:
    """One use of a plugin, with its settings.

    Attributes:
        kind: What it is used as.
        name: Its name.
        version: What it says.
        digest: Of its source.
        place: Its file, for messages.
        folder: The index of the carried folder that holds it; ``None`` for an installed module.
        module: The installed module's name; empty for a carried one.
        attribute: The object in the module; empty for the module itself.
        settings: Values for the fields of its class.
        path: Where in the configuration it is used, for messages.
    """

    kind: Kind
    name: str
    version: str | None
    digest: str
    place: Place
    folder: int | None
    module: str
    attribute: str
    settings: Mapping[str, object]
    path: tuple[str | int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepPlan:
    """One step: a processor's use, and what becomes of records on which it fails."""

    label: str
    use: PluginUse
    on_error: OnError


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that a run needs.

    Attributes:
        config: The configuration that it was made from, which knows the place of each value.
        folders: The plugins' sources.
        reader: The format of the source.
        steps: In order.
        writer: The format of the sink.
        splits: The pieces of the input, in order.
        sink: The path of the output, ``"-"`` for standard output.
        dead_letters: The path for records that failed.
        limit: How many of them are too many.
        engine: What executes the splits.
    """

    config: PipelineConfig
    folders: tuple[CarriedFolder, ...]
    reader: PluginUse
    steps: tuple[StepPlan, ...]
    writer: PluginUse
    splits: tuple[Split, ...]
    sink: str
    dead_letters: str
    limit: ErrorLimit
    engine: PluginUse


DEFAULT_FOLDER = "plugins"


def plugin_folders(config: PipelineConfig, base: str) -> list[str]:
    """Return the plugin folders that a configuration means: its own, else ``plugins`` if there is one beside it."""
    if config.plugins is not None:
        return [resolve(folder, base) for folder in config.plugins]
    default = resolve(DEFAULT_FOLDER, base)
    return [default] if os.path.isdir(default) else []


def resolve(path: str, base: str) -> str:
    """Return a path of a configuration, which is relative to the folder that the file is in."""
    if path == "-" or path.startswith("package:") or os.path.isabs(path) or base in ("", "."):
        return path
    return os.path.normpath(os.path.join(base, path))


def make_plan(config: PipelineConfig, base: str = "") -> Plan:
    """Find and check everything that a run needs; run nothing.

    Args:
        config: What is asked for.
        base: The folder that its paths are relative to.

    Raises:
        ConfigurationError: Something is wrong; carries all findings.
    """
    with Catalogue(plugin_folders(config, base)) as catalogue:
        planner = _Planner(config, base, catalogue)
        plan = planner.plan()
    if plan is None:
        raise ConfigurationError(planner.findings)
    return plan


class _Planner:
    """Gathers uses and findings; ends as a plan, or as the findings."""

    def __init__(self, config: PipelineConfig, base: str, catalogue: Catalogue) -> None:
        self._config = config
        self._base = base
        self._catalogue = catalogue
        self._trees: list[tuple[Tree, str, list[str]]] = []
        self.findings: list[Finding] = []

    def plan(self) -> Plan | None:
        config = self._config
        self.findings += self._catalogue.findings
        reader = self._format("source", config.source.path, config.source.format, config.source.options)
        steps = [self._step(index) for index in range(len(config.steps))]
        writer = self._format("sink", config.sink.path, config.sink.format, config.sink.options)
        engine = self._use("engine", config.run.engine, {}, ("run", "engine"), ("run", "options"))
        sink = resolve(config.sink.path, self._base)
        splits = self._splits(sink)
        if reader is None or writer is None or engine is None or None in steps or self.findings:
            return None
        return Plan(
            config=config,
            folders=tuple(self._carried(tree, namespace, entries) for tree, namespace, entries in self._trees),
            reader=reader,
            steps=tuple(step for step in steps if step is not None),
            writer=writer,
            splits=splits,
            sink=sink,
            dead_letters=self._dead_letters(sink, splits),
            limit=config.run.max_errors,
            engine=engine,
        )

    def _find(self, code: str, message: str, path: tuple[str | int, ...], hint: str | None = None) -> None:
        self.findings.append(Finding(code, message, self._config.place(path), hint))

    def _step(self, index: int) -> StepPlan | None:
        step = self._config.steps[index]
        use = self._use("processor", step.use, step.with_, ("steps", index, "use"), ("steps", index, "with"))
        label = step.name if step.name is not None else step.use
        return StepPlan(label=label, use=use, on_error=step.on_error) if use is not None else None

    def _format(self, table: str, path: str, name: str | None, options: Mapping[str, object]) -> PluginUse | None:
        if name is not None:
            return self._use("format", name, options, (table, "format"), (table, "options"))
        suffix = inner_suffix(path)
        plugin = self._catalogue.format_for(suffix) if suffix else None
        if plugin is None:
            shown = f"the suffix {suffix!r} of {path!r}" if suffix else f"{path!r}"
            message = f"no format is known for {shown}"
            self._find("C107", message, (table, "path"), f'name it: format = "ndjson" in [{table}]')
            return None
        return self._made(plugin, "format", options, (table, "path"), (table, "options"))

    def _use(
        self,
        kind: Kind,
        name: str,
        settings: Mapping[str, object],
        path: tuple[str | int, ...],
        settings_path: tuple[str | int, ...],
    ) -> PluginUse | None:
        found = self._catalogue.find(kind, name)
        if isinstance(found, Plugin):
            return self._made(found, kind, settings, path, settings_path)
        if found:
            self._find("C106", f"the {kind} {name!r} cannot be used, see the next finding", path)
            self.findings += found
        else:
            message, hint = self._catalogue.unknown(kind, name)
            self._find("C107" if kind == "format" else "C106", message, path, hint)
        return None

    def _made(
        self,
        plugin: Plugin[object],
        kind: Kind,
        settings: Mapping[str, object],
        path: tuple[str | int, ...],
        settings_path: tuple[str | int, ...],
    ) -> PluginUse | None:
        candidate = plugin.candidate
        checked, problems = check_settings(plugin, kind, settings, settings_path)
        self.findings += [self._config.finding(problem) for problem in problems]
        folder = None
        module, attribute = "", ""
        match candidate:
            case FileCandidate():
                folder = self._folder_of(candidate)
            case ModuleCandidate():
                module, attribute = candidate.module, candidate.attribute
        return PluginUse(
            kind=kind,
            name=plugin.name,
            version=plugin.version,
            digest=plugin.spec.digest,
            place=plugin.place,
            folder=folder,
            module=module,
            attribute=attribute,
            settings=checked,
            path=path,
        )

    def _folder_of(self, candidate: FileCandidate) -> int:
        for index, (tree, _, entries) in enumerate(self._trees):
            if tree is candidate.tree:
                entries.append(candidate.entry)
                return index
        namespace = os.path.basename(candidate.tree.real) or DEFAULT_FOLDER
        self._trees.append((candidate.tree, namespace, [candidate.entry]))
        return len(self._trees) - 1

    def _carried(self, tree: Tree, namespace: str, entries: Sequence[str]) -> CarriedFolder:
        return CarriedFolder(shown=tree.shown, namespace=namespace, files=carry(tree, entries))

    def _splits(self, sink: str) -> tuple[Split, ...]:
        try:
            paths = expand_source(self._config.source.path, self._base)
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            self._find("C109", f"{self._config.source.path!r} cannot be read: {said}", ("source", "path"))
            return ()
        for path in paths:
            if path != "-" and not path.startswith("package:") and _same_file(path, sink):
                hint = "write to another file, and rename it afterwards"
                self._find("C111", f"{self._config.sink.path!r} is the source itself", ("sink", "path"), hint)
        return tuple(Split(index=index, count=len(paths), path=path) for index, path in enumerate(paths))

    def _dead_letters(self, sink: str, splits: Sequence[Split]) -> str:
        named = self._config.run.dead_letters
        if named is not None:
            return resolve(named, self._base)
        if sink != "-":
            return dead_letters_beside(sink)
        # Standard output has nothing beside it: the source's name, in the current folder.
        source = splits[0].path.rpartition(":")[2] if splits else "-"
        return dead_letters_beside(os.path.basename(source)) if source != "-" else "stdin.errors.ndjson"


def dead_letters_beside(path: str) -> str:
    """Return the default file for dead letters: ``clean.csv`` gives ``clean.errors.ndjson``."""
    folder, name = os.path.split(path)
    stem = name.partition(".")[0] or name
    return os.path.join(folder, f"{stem}.errors.ndjson")


def _same_file(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def check_settings(
    plugin: Plugin[object], kind: Kind, settings: Mapping[str, object], path: tuple[str | int, ...]
) -> tuple[Mapping[str, object], tuple[Problem, ...]]:
    """Check settings against what a plugin's source shows; what it does not show is checked when it is bound."""
    from plugline.pipeline.shown import settings_class  # noqa: PLC0415

    source = source_of(plugin)
    if source is None:
        return settings, ()
    tree = parse_source(source)
    if isinstance(tree, Finding):
        return settings, ()
    node = settings_class(tree, plugin.spec.facts, kind)
    if node is None:
        if settings:
            message = f"{plugin.name!r} is a module with functions and has no settings"
            return settings, (Problem(path=path, code="C101", message=message, on_key=True),)
        return settings, ()
    fields = fields_of_source(node, tree)
    return check(fields, settings, path=path) if fields is not None else (settings, ())


def source_of(plugin: Plugin[object]) -> SourceFile | None:
    """Return the source of a plugin as it is now, ``None`` for a module without one."""
    match plugin.candidate:
        case FileCandidate() as candidate:
            found = candidate.tree.read(candidate.entry)
        case _:
            path = plugin.place.path
            if not path.endswith(".py"):
                return None
            found = read_source(path, max_bytes=2**24)
    return None if isinstance(found, Finding) else found
