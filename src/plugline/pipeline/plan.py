"""A configuration to a plan: every plugin found, every setting checked as far as source shows it, nothing run yet.

A plan is data: it pickles, and holds the plugins' sources and not the plugins.
"""

import _ast
import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from importlib import import_module
from typing import get_args

from plugline.admission.ownership import how_to_allow
from plugline.contract.settings import Field, Problem, check, fields_of, fields_of_source, is_path
from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.carried import carry
from plugline.discovery.folder import ARCHIVES
from plugline.discovery.known import ParsedOnce
from plugline.discovery.trees import Tree
from plugline.errors import ConfigurationError
from plugline.files import SourceFile, read_installed, reason_of
from plugline.files import digest_of as digest_of_bytes
from plugline.findings import Finding, Place, apart
from plugline.frozen import frozen
from plugline.host.plugin import Plugin
from plugline.names import is_public, module_part, nearest, nearest_file, shell_word
from plugline.pipeline.aside import path_aside
from plugline.pipeline.catalogue import ALONE, SHIPPED, Catalogue, Kind
from plugline.pipeline.config import ErrorLimit, OnQuarantine, PipelineConfig, SandboxConfig
from plugline.pipeline.remote import has_scheme, problems_at_address, without_query, without_secret
from plugline.pipeline.streams import PACKAGE, compression_of, expand_source, inner_suffix, shipped_file, strangers_in
from plugline.records import Split
from plugline.records.loop import OnError

TYPE_CHECKING = False
if TYPE_CHECKING:  # imported where a step is isolated
    from plugline.isolation.levels import Confinement

SEE_NEXT = "mend what the next finding says"


@frozen(kw_only=True)
class CarriedFolder:
    """A plugin folder's files that a plan needs, by relative path."""

    shown: str
    namespace: str
    files: Mapping[str, bytes]


@frozen(kw_only=True)
class PluginUse:
    """One use of a plugin, with its settings.

    Attributes:
        kind: What it is used as.
        along: The digest of what comes along from its folder, since it imports or requires it; empty where nothing does.
        folder: The index of the carried folder that holds it; ``None`` for an installed module.
        module: The installed module's name; empty for a carried one.
        attribute: The object in the module; empty for the module itself.
        settings: Values for the fields of its class.
        path: Where in the configuration it is used, for messages.
        files: Which of the settings are paths.
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
    files: frozenset[str] = frozenset()
    along: str = ""

    @property
    def code(self) -> str:
        """What tells its code from another."""
        return f"{self.digest} {self.along}" if self.along else self.digest


@frozen(kw_only=True)
class StepPlan:
    """One step: a processor's use, and what becomes of records on which it fails.

    Attributes:
        generation: The how manieth plugin of this step it is, where plans take each other's place while a run goes on.
        isolation: Where it runs, and what it may touch and use up there; ``None``: in the process that runs the split.
        on_quarantine: What becomes of records once its workers have died too often.
    """

    label: str
    use: PluginUse
    on_error: OnError
    generation: int = 1
    isolation: "Confinement | None" = None
    on_quarantine: OnQuarantine = "dead-letter"


@frozen(kw_only=True)
class Plan:
    """Everything that a run needs.

    Attributes:
        config: The configuration that it was made from, which knows the place of each value.
        folders: The plugins' sources.
        splits: The files of the input in order, one split each; they are cut when the run begins.
        max_record_bytes: A record that is longer is not read, and becomes a dead letter.
        sink: The path of the output, ``"-"`` for standard output.
        part_suffix: Where the output is a folder of parts, what the names of its files end with; ``None`` where it is one file.
        dead_letters: The path for records that failed.
        ordered: Whether parts come in the order of the splits: where that is asked for, and for a database, which knows how
            many parts it has and not which.
        source: What the source names: a file, a folder, a pattern.
        retries: Whether the splits are dead letters of this pipeline, that are to be fed through again.
        folder: What the relative ones of these paths are relative to: the working folder when the plan was made.
        slowest: How many of the records that take longest are to be told of; each of them costs every record a little time.
    """

    config: PipelineConfig
    folders: tuple[CarriedFolder, ...]
    reader: PluginUse
    steps: tuple[StepPlan, ...]
    writer: PluginUse
    splits: tuple[Split, ...]
    max_record_bytes: int
    sink: str
    dead_letters: str
    limit: ErrorLimit
    engine: PluginUse
    folder: str
    part_suffix: str | None = None
    slowest: int = 0
    source: str = ""
    ordered: bool = True
    retries: bool = False

    def located(self, path: str) -> str:
        """Return one of the plan's paths as it can be opened from any working folder: a plugin may change that."""
        return path if _has_no_folder(path) else os.path.join(self.folder, path)

    def settings_of(self, use: PluginUse) -> Mapping[str, object]:
        """Return the settings of a plugin where it is loaded: a worker may have another working folder."""
        if not use.files or _is_working_folder(self.folder):
            return use.settings
        return {
            name: self.located(value) if name in use.files and isinstance(value, str) else value
            for name, value in use.settings.items()
        }

    @property
    def part_folder(self) -> str | None:
        """Where parts are written that are put in place together; ``None`` where the output is one file."""
        return None if self.part_suffix is None else path_aside(self.located(self.sink), "parts")


def _is_working_folder(folder: str) -> bool:
    try:
        return os.getcwd() == folder
    except FileNotFoundError:
        return False


def digest_of(plan: Plan) -> str:
    """Return what tells plans apart that make different records of one input: their formats, plugins and settings."""
    from hashlib import sha256  # where it is asked for

    uses = [(use.kind, use.name, use.code, sorted(use.settings.items())) for use in (plan.reader, plan.writer)]
    steps = [(step.use.name, step.use.code, sorted(step.use.settings.items()), step.on_error) for step in plan.steps]
    return sha256(repr((uses, steps, plan.max_record_bytes, plan.retries)).encode()).hexdigest()


DEFAULT_FOLDER = "plugins"


def plugin_folders(config: PipelineConfig, base: str) -> list[str]:
    """Return the plugin folders that a configuration means: its own, else ``plugins`` if there is one beside it."""
    if config.plugins is not None:
        return [resolve(folder, base) for folder in config.plugins]
    default = resolve(DEFAULT_FOLDER, base)
    return [default] if os.path.isdir(default) else []


def resolve(path: str, base: str) -> str:
    """Return a path of a configuration, which is relative to the folder that the file is in."""
    # Not normalised: where ``base`` is a link, what ``..`` leads to is known to the file system only.
    return path if _has_no_folder(path) or base in ("", ".") else os.path.join(base, path)


def _into(folder: str, path: str) -> str:
    """Return what to do about a folder without files."""
    with suppress(OSError), os.scandir(folder) as entries:
        if any(entry.is_dir() and not entry.name.startswith(".") for entry in entries):
            return f"the files in the folders that it holds are read by a pattern: {os.path.join(path, '**')!r}"
    return "put files into it, or name another"


def _near_file(source: str) -> str | None:
    """Return the hint that names the file that may be meant by one that is not there; a pattern means none."""
    near = None if _has_no_folder(source) or not set("*?[").isdisjoint(source) else nearest_file(source)
    return f"did you mean {near!r}?" if near is not None else None


def _has_no_folder(path: str) -> bool:
    return path == "-" or path.startswith(PACKAGE) or has_scheme(path)


def make_plan(
    config: PipelineConfig,
    base: str = "",
    *,
    plugins: bool = True,
    only: Sequence[str] | None = None,
    follows: bool = False,
    retries: bool = False,
) -> Plan:
    """Find and check everything that a run needs; run nothing.

    Args:
        base: The folder that its paths are relative to.
        plugins: ``False`` leaves all out but those that are shipped.
        only: Names of those to use beside those that are shipped; ``None`` for all.
        follows: Whether more is to come: a folder may be empty.
        retries: Whether dead letters are read and not the source, which may be gone.

    Raises:
        ConfigurationError: Something is wrong; carries all findings.
    """
    with ParsedOnce(), Catalogue(plugin_folders(config, base), plugins=plugins, only=only) as catalogue:
        planner = _Planner(config, base, catalogue, follows=follows, retries=retries)
        plan = planner.plan()
    if plan is None:
        # Once each: a plugin that is used twice is wrong once.
        raise ConfigurationError(tuple(dict.fromkeys(config.veiled(planner.findings))))
    return plan


class _Planner:
    """Gathers uses and findings; ends as a plan, or as the findings."""

    def __init__(
        self, config: PipelineConfig, base: str, catalogue: Catalogue, *, follows: bool, retries: bool
    ) -> None:
        self._config = config
        self._retries = retries
        self._follows = follows
        self._base = base
        self._catalogue = catalogue
        self._trees: list[tuple[Tree, str, list[str]]] = []
        self.findings: list[Finding] = []

    def plan(self) -> Plan | None:
        config = self._config
        self.findings += self._catalogue.findings
        if any(finding.code == "P115" for finding in self.findings):
            return None  # nothing is used while any might be disabled, and that is all that is wrong
        sink = resolve(config.sink.path.rstrip("/") if config.sink.parts else config.sink.path, self._base)
        splits = self._splits()
        paths = [split.path for split in splits] or [config.source.path]
        reader = self._format("source", paths, config.source.format, config.source.options)
        steps = [self._step(index) for index in range(len(config.steps))]
        writer = self._format("sink", [config.sink.path], config.sink.format, config.sink.options)
        ordered = config.run.ordered or (writer is not None and self._opens_its_sink(writer))
        engine = self._engine(ordered=ordered)
        dead_letters = self._dead_letters(sink, splits)
        self._check_outputs(sink, dead_letters, splits)
        self._keep_what_is_read(sink, dead_letters, steps)
        suffix = self._part_suffix(writer.name, sink) if config.sink.parts and writer is not None else None
        wrong = any(finding.is_error for finding in self.findings)
        # A warning is for check to tell: a disabled plugin whose file is gone, say.
        if reader is None or writer is None or engine is None or None in steps or wrong:
            return None
        return Plan(
            config=config,
            folders=tuple(self._carried(tree, namespace, entries) for tree, namespace, entries in self._trees),
            reader=reader,
            steps=tuple(step for step in steps if step is not None),
            writer=writer,
            splits=splits,
            max_record_bytes=config.run.max_record_bytes,
            source=resolve(config.source.path, self._base),
            sink=sink,
            part_suffix=suffix,
            dead_letters=dead_letters,
            limit=config.run.max_errors,
            engine=engine,
            ordered=ordered,
            folder=os.getcwd(),
        )

    def _part_suffix(self, name: str, sink: str) -> str:
        """Return what the names of part files end with: as that of their folder, else as is usual for their format."""
        suffix = inner_suffix(sink)
        if not suffix:
            found = self._catalogue.find("format", name)
            usual = found.spec.constants.get("SUFFIXES") if isinstance(found, Plugin) else None
            suffix = str(usual[0]) if isinstance(usual, list | tuple) and usual else f".{name}"
        return suffix + compression_of(sink)

    def _opens_its_sink(self, writer: PluginUse) -> bool:
        """Whether a format writes into something like a database, as far as its source shows it."""
        found = self._catalogue.find("format", writer.name)
        source = source_of(found) if isinstance(found, Plugin) else None
        return source is not None and b"open_sink" in source.content

    def _engine(self, *, ordered: bool) -> PluginUse | None:
        use = self._use(
            "engine", self._config.run.engine, self._config.run.options, ("run", "engine"), ("run", "options")
        )
        if use is None:
            return None
        found = self._catalogue.find("engine", self._config.run.engine)
        run = self._config.run
        told = {"processes": run.processes.number or 0, "ordered": ordered}
        declared = declared_settings(found, "engine") if isinstance(found, Plugin) else frozenset()
        if run.processes.number is not None and "processes" not in declared:
            message = f"the engine {use.name!r} has no setting 'processes'"
            self._find("C101", message, ("run", "processes"), "leave it out: the engine knows how many it has")
        said = {name: value for name, value in told.items() if name in declared and name not in run.options}
        return replace(use, settings={**use.settings, **said})

    def _find(self, code: str, message: str, path: tuple[str | int, ...], hint: str | None = None) -> None:
        self.findings.append(Finding(code, message, self._config.place(path), hint))

    def _step(self, index: int) -> StepPlan | None:
        step = self._config.steps[index]
        use = self._use("processor", step.use, step.with_, ("steps", index, "use"), ("steps", index, "with"))
        label = step.name if step.name is not None else step.use
        isolation = self._isolation(index)
        if use is None:
            return None
        return StepPlan(
            label=label, use=use, on_error=step.on_error, isolation=isolation, on_quarantine=step.on_quarantine
        )

    def _isolation(self, index: int) -> "Confinement | None":
        step = self._config.steps[index]
        if step.isolation == "none":
            return None
        from plugline.isolation.levels import Confinement
        from plugline.worker.limits import Sandbox

        said = step.sandbox if step.sandbox is not None else SandboxConfig()
        limits = {field.name: getattr(said, field.name) for field in fields(said)}
        for key in ("read", "write"):
            if limits[key] is not None:
                limits[key] = [resolve(path, self._base) for path in limits[key]]
        try:
            sandbox = Sandbox(**limits)
        except (ValueError, TypeError) as error:
            self._find("C104", str(error), ("steps", index, "sandbox"))
            return None
        # The lock file and the policy are here, and not where the plan may be carried to.
        plugin = self._catalogue.find("processor", step.use)
        return Confinement(step.isolation, plugin.allowed(sandbox) if isinstance(plugin, Plugin) else sandbox)

    def _format(
        self, table: str, paths: Sequence[str], name: str | None, options: Mapping[str, object]
    ) -> PluginUse | None:
        if name is not None:
            return self._use("format", name, options, (table, "format"), (table, "options"))
        by_scheme = self._format_of_address(paths[0])
        if by_scheme is not None:
            return self._made(by_scheme, "format", options, (table, "path"), (table, "options"))
        suffixes = sorted({inner_suffix(path) for path in paths})
        suffix = suffixes[0]
        plugins = [self._catalogue.format_for(one) if one else None for one in suffixes]
        plugin = plugins[0]
        if plugin is None or any(one is None or one.spec.digest != plugin.spec.digest for one in plugins):
            if table == "source" and any(finding.code == "C109" for finding in self.findings):
                return None  # what is not there has no suffix that could be meant
            named = self._catalogue.find("format", suffix[1:])
            if not isinstance(named, Plugin) and any(finding.code == "P116" for finding in named):
                return self._use("format", suffix[1:], options, (table, "path"), (table, "options"))
            shown = f"the suffix {suffix!r} of {paths[0]!r}" if suffix else f"{paths[0]!r}"
            message = f"no format is known for {shown}"
            if len(suffixes) > 1:
                message = f"its files have the suffixes {suffixes}, and a source has one format"
            flag = "--from" if table == "source" else "--to"
            in_file = self._config.place((table, "path")).line is not None
            hint = f'name it: format = "ndjson" in [{table}]' if in_file else f"name it: {flag} ndjson"
            near = nearest(suffix, self._catalogue.suffixes()) if suffix and len(suffixes) == 1 else None
            if near is not None:
                hint = f"did you mean {near!r}? else {hint}"
            if any(plugins):
                hint = "take the files of one, as '*.csv' does, or name the format that all of them have"
            self._find("C107", message, (table, "path"), hint)
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
            self._find("C106", f"the {kind} {name!r} cannot be used, see the next finding", path, SEE_NEXT)
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
        settings, files, problems = check_settings(plugin, kind, settings, settings_path, self._base)
        self.findings += [self._config.finding(problem) for problem in problems]
        folder = None
        module, attribute, along = "", "", ""
        match candidate:
            case FileCandidate():
                folder = self._folder_of(candidate)
                along = self._take_along(plugin, candidate, self._trees[folder][1])
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
            settings=settings,
            path=path,
            files=files,
            along=along,
        )

    def _take_along(self, plugin: Plugin[object], candidate: FileCandidate, namespace: str) -> str:
        """Carry what a plugin requires of its folder, and what that requires; return what tells all that comes along."""
        tree, entries = candidate.tree, [candidate.entry]
        todo = list(plugin.needs)
        seen: set[str] = set()
        while todo:
            needed = todo.pop()
            if needed.name not in seen and isinstance(needed.candidate, FileCandidate):
                seen.add(needed.name)
                todo += needed.needs
                if needed.candidate.tree is tree:
                    self._folder_of(needed.candidate)
                    entries.append(needed.candidate.entry)
        files = carry(tree, entries, namespace)
        told = [(name, digest_of_bytes(content).hex()) for name, content in files.items() if name != candidate.entry]
        return digest_of_bytes(repr(told).encode()).hex() if told else ""

    def _folder_of(self, candidate: FileCandidate) -> int:
        for index, (tree, _, entries) in enumerate(self._trees):
            if tree is candidate.tree:
                entries.append(candidate.entry)
                return index
        name = os.path.basename(candidate.tree.real)
        namespace = module_part(os.path.splitext(name)[0] if name.endswith(ARCHIVES) else name) or DEFAULT_FOLDER
        self._trees.append((candidate.tree, namespace, [candidate.entry]))
        return len(self._trees) - 1

    def _carried(self, tree: Tree, namespace: str, entries: Sequence[str]) -> CarriedFolder:
        return CarriedFolder(shown=tree.shown, namespace=namespace, files=carry(tree, entries, namespace))

    def _format_of_address(self, path: str) -> Plugin[object] | None:
        """Return the format that opens an address itself, such as that of a database."""
        return self._catalogue.format_for_scheme(path.partition("://")[0].lower()) if has_scheme(path) else None

    def _splits(self) -> tuple[Split, ...]:
        path = self._config.source.path
        if self._format_of_address(path) is not None:
            return (Split(index=0, count=1, path=path),)
        source = resolve(self._config.source.path, self._base)
        try:
            paths = expand_source(path, self._base)
            if path.startswith(PACKAGE):
                shipped_file(path)  # for what it raises: where the plan is run, the package may be somewhere else
        except (OSError, ValueError, ImportError) as error:
            is_empty = self._follows and os.path.isdir(source)  # nothing has arrived yet
            if isinstance(error, FileNotFoundError) and (is_empty or self._retries):
                return ()
            said, hint = apart(reason_of(error))
            shown = repr(without_secret(self._config.source.path))
            message = said if said.startswith(shown) else f"{shown} cannot be read: {said}"
            if hint is None and isinstance(error, FileNotFoundError):
                hint = _into(source, path) if os.path.isdir(source) else _near_file(source)
            elif isinstance(error, PermissionError) and not _has_no_folder(path):
                while source and not os.path.exists(source):
                    source = os.path.dirname(source)
                hint = how_to_allow(source or os.curdir, "rx")
            self._find("C109", message, ("source", "path"), hint)
            return ()
        closed = next((one for one in paths if not _has_no_folder(one) and not os.access(one, os.R_OK)), None)
        if closed is not None:
            message = f"{closed!r} cannot be read: {os.strerror(errno.EACCES)}"
            self._find("C109", message, ("source", "path"), how_to_allow(closed, "r"))
        return tuple(Split(index=index, count=len(paths), path=path) for index, path in enumerate(paths))

    def _check_outputs(self, sink: str, dead_letters: str, splits: Sequence[Split]) -> None:
        sources = [split.path for split in splits if not _has_no_folder(split.path)]
        in_parts = self._config.sink.parts
        is_file = not in_parts and self._format_of_address(sink) is None
        problems = list(_parts_problems(sink, sources) if in_parts else _output_problems(sink) if is_file else ())
        if not problems and is_file and sink.endswith("/"):
            problems = [(f"{sink!r} is a folder, expected a file", "name a file in it")]
        for problem, hint in problems:
            self._find("C111", problem, ("sink", "path"), hint)
        if any(same_file(source, sink) for source in sources):
            hint = "write to another file, and rename it afterwards"
            self._find("C111", f"{self._config.sink.path!r} is the source itself", ("sink", "path"), hint)
        named = ("run", "dead_letters")
        if not (problems and self._config.run.dead_letters is None):  # what is beside the sink has its problems too
            for problem, hint in _output_problems(dead_letters):
                self._find("C111", problem, named, f"{hint}; --dead-letters FILE names another file")
            if in_parts and os.path.realpath(os.path.dirname(dead_letters) or ".") == os.path.realpath(sink):
                self._find("C111", f"{dead_letters!r} is in the folder of the output", named, "name a file elsewhere")
        another = "name another file for the dead letters: dead_letters in [run], or --dead-letters"
        if dead_letters == "-":
            self._find("C111", "dead letters cannot go to standard output", named, another)
        elif same_file(dead_letters, sink):
            self._find("C111", f"{dead_letters!r} is for the dead letters, and is the sink itself", named, another)
        elif any(same_file(source, dead_letters) for source in sources):
            self._find("C111", f"{dead_letters!r} is for the dead letters, and is a source itself", named, another)

    def _keep_what_is_read(self, sink: str, dead_letters: str, steps: Sequence[StepPlan | None]) -> None:
        """Refuse to write over the pipeline, or over a file that a step is given."""
        pipeline = self._config.place(()).path
        read = [pipeline] if pipeline.endswith(".toml") else []  # flags, and configurations of programs, are no file
        for use in (step.use for step in steps if step is not None):
            read += [resolve(str(value), self._base) for name, value in use.settings.items() if name in use.files]
        # A folder of parts is no file, which is told already.
        outputs = () if self._config.sink.parts else ((sink, ("sink", "path")),)
        for path, key in (*outputs, (dead_letters, ("run", "dead_letters"))):
            if any(same_file(one, path) for one in read):
                self._find("C111", f"{path!r} is the pipeline, or a file that it reads", key, "write to another file")

    def _dead_letters(self, sink: str, splits: Sequence[Split]) -> str:
        named = self._config.run.dead_letters
        if named is not None:
            return resolve(named, self._base)
        if not goes_straight(sink) and self._format_of_address(sink) is None:
            return dead_letters_beside(sink)
        # Neither standard output nor a database has anything beside it, and /dev is no place: the source's name, in
        # the current folder.
        source = splits[0].path.rpartition(":")[2] if splits else self._config.source.path
        source = source if splits or set("*?[").isdisjoint(source) else "-"
        if splits and self._format_of_address(splits[0].path) is not None:
            source = "records"  # an address of a database may hold what nobody is to see
        return dead_letters_beside(os.path.basename(source)) if source != "-" else "stdin.errors.ndjson"


def goes_straight(sink: str) -> bool:
    """Whether a sink is standard output or a special file, which no file can be put in the place of."""
    return sink == "-" or (os.path.exists(sink) and not os.path.isfile(sink) and not os.path.isdir(sink))


def dead_letters_beside(path: str) -> str:
    """Return the default file for dead letters: ``clean.csv`` gives ``clean.errors.ndjson``."""
    stem, suffix = os.path.splitext(without_query(path))
    if suffix.lower() != inner_suffix(path):
        stem, _ = os.path.splitext(stem)  # the suffix was that of a compression
    return f"{stem}.errors.ndjson"


def same_file(first: str, second: str) -> bool:
    """Whether two paths lead to one file, be it there or not; what is no regular file may well be used twice."""
    try:
        if os.path.exists(first) and os.path.exists(second):
            return os.path.isfile(first) and os.path.samefile(first, second)
        return os.path.realpath(first) == os.path.realpath(second)
    except (OSError, ValueError):
        return False


def _output_problems(path: str) -> Iterator[tuple[str, str]]:
    """Yield what would keep a file from being written, as far as that can be seen before: message and hint."""
    if goes_straight(path):
        return
    if path.startswith(("http://", "https://")):
        yield (
            f"{path!r} is an address of the web, which is only read",
            "name a file, or an address that can be written to",
        )
        return
    if has_scheme(path):
        yield from problems_at_address(path)
        return
    if "\0" in path:
        yield f"{path!r} is not a file name", "a file name has no NUL character"
        return
    if os.path.isdir(path) or path.endswith("/"):
        yield (
            f"{path!r} is a folder, expected a file",
            "name a file in it; or parts = true in [sink], for a folder of parts",
        )
        return
    yield from _problems_around(path)


def _problems_around(path: str) -> Iterator[tuple[str, str]]:
    """Yield what would keep anything from being made there."""
    folder = os.path.dirname(os.path.realpath(path))
    shown = folder if os.path.islink(path) else os.path.dirname(path) or "."
    if not os.path.exists(folder):
        yield f"the folder {shown!r} does not exist", f"create it: mkdir -p {shell_word(shown)}"
    elif not os.path.isdir(folder):
        yield f"{shown!r} is a file, expected a folder", "name a folder"
    elif not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        yield f"the folder {shown!r} cannot be written to", f"{how_to_allow(shown, 'w')}; or write elsewhere"


def _parts_problems(path: str, sources: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield what would keep a folder of parts from being written: message and hint."""
    if path == "-" or has_scheme(path):
        yield f"{path!r} cannot hold parts", "name a folder that all workers can write to, or leave out parts in [sink]"
        return
    if compression_of(path) == ".zip":
        yield "parts cannot be zip files", "name it .gz or .zst"
        return
    if any(os.path.realpath(os.path.dirname(source)) == os.path.realpath(path) for source in sources):
        yield f"{path!r} is the source itself", "write to another folder, and rename it afterwards"
        return
    if os.path.isdir(path):
        strangers = strangers_in(path)
        if strangers:
            yield (
                f"the folder {path!r} holds {strangers[0]!r}, which is no part of an output",
                "name a folder that is not there, or one that a run with parts = true has made",
            )
            return
    elif os.path.exists(path):
        yield f"{path!r} is a file, expected a folder for parts", "name another, or leave out parts in [sink]"
        return
    yield from _problems_around(path)


def check_settings(
    plugin: Plugin[object], kind: Kind, settings: Mapping[str, object], path: tuple[str | int, ...], base: str
) -> tuple[Mapping[str, object], frozenset[str], tuple[Problem, ...]]:
    """Check settings against what a plugin's source shows; what it does not show is checked when it is bound.

    Returns the settings with all files among them (those whose type is ``Path``) found from ``base``, as the pipeline's
    own are, which ones those are, and everything that is wrong.
    """
    ours = _class_of_ours(plugin, kind)
    # Most modules show without their syntax tree that they have no settings.
    if (
        ours is None
        and not settings
        and any(all(plugin.spec.binds(one.name) for one in way.members) for way in ALONE[kind])
    ):
        return settings, frozenset(), ()
    fields, is_class = (fields_of(ours), True) if ours is not None else shown_fields(plugin, kind)
    if fields is None or not (is_class or settings):
        return settings, frozenset(), ()
    if not is_class:
        message = f"{plugin.name!r} is a module with functions and has no settings"
        hint = "leave them out; a plugin that is to have settings is a class, whose annotated attributes they are"
        return settings, frozenset(), (Problem(path=path, code="C101", message=message, hint=hint, on_key=True),)
    files = frozenset(field.name for field in fields if _is_path(field.type))
    located = {
        name: resolve(value, base) if name in files and isinstance(value, str) else value
        for name, value in settings.items()
    }
    return located, files, check(fields, located, path=path)[1]


def _is_path(form: object) -> bool:
    """Whether a setting is a file, or a file or nothing."""
    members = get_args(form) or (form,)
    return any(is_path(member) for member in members)


def declared_settings(plugin: Plugin[object], kind: Kind) -> frozenset[str]:
    """Return the names of the settings that a plugin's source shows; none where it shows nothing."""
    ours = _class_of_ours(plugin, kind)
    fields = fields_of(ours) if ours is not None else shown_fields(plugin, kind)[0]
    return frozenset(field.name for field in fields or ())


def _class_of_ours(plugin: Plugin[object], kind: Kind) -> type | None:
    """Return the class of a plugin that is shipped, which is imported for it; ``None`` for any other.

    Nothing of a stranger's is run by that, and it costs less than reading the source: no such module imports a library at its top.
    """
    candidate = plugin.candidate
    if not isinstance(candidate, ModuleCandidate) or not candidate.module.startswith(f"{SHIPPED[kind]}."):
        return None
    try:
        module = import_module(candidate.module)
    except ImportError:
        return None  # of the standard library, which some leave out in parts: it is told where the plugin is loaded
    classes = [one for one in vars(module).values() if isinstance(one, type) and one.__module__ == module.__name__]
    fitting = (one for one in classes if any(all(hasattr(one, m.name) for m in way.members) for way in ALONE[kind]))
    return next((one for one in fitting if is_public(one.__name__)), None)


def shown_fields(plugin: Plugin[object], *kinds: Kind) -> tuple[tuple[Field, ...] | None, bool]:
    """Return the settings that a plugin's source shows, ``None`` where it does not, and whether it is a class that has them."""
    # What reads sources is imported where one is read: most plugins are modules, or shipped.
    from plugline.discovery.fit import classes_that_fit
    from plugline.discovery.source import parse_source

    source = source_of(plugin)
    tree = parse_source(source) if source is not None else None
    facts, name = plugin.spec.facts, plugin.candidate.class_name
    if tree is None or facts is None or isinstance(tree, Finding):
        return None, False
    for way in [ALONE[kind] for kind in kinds if not name]:
        if any(facts.bound.issuperset(member.name for member in one.members) for one in way):
            continue
        found = classes_that_fit(way, facts) or [one.name for one in facts.classes if one.bases and is_public(one.name)]
        name = name or next(iter(found), "")
    node = next((one for one in tree.body if isinstance(one, _ast.ClassDef) and one.name == name), None)
    return ((), False) if node is None else (fields_of_source(node, tree), True)


def source_of(plugin: Plugin[object]) -> SourceFile | None:
    """Return the source of a plugin as it is now, ``None`` for a module without one."""
    match plugin.candidate:
        case FileCandidate() as candidate:
            found = candidate.tree.read(candidate.entry)
        case _:
            path = plugin.place.path
            if not path.endswith(".py"):
                return None
            found = read_installed(path, max_bytes=2**24)
    return None if isinstance(found, Finding) else found
