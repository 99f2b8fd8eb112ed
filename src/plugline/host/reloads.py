"""Plugins of a host to their next generation, by way of a reload of their modules."""

import marshal
import os
import sys
from _weakref import ref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.machinery import EXTENSION_SUFFIXES
from time import sleep
from types import CodeType, ModuleType, SimpleNamespace

from plugline.blame import users_own_interrupt
from plugline.clock import monotonic_seconds
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.reading import edited_spec
from plugline.discovery.source import syntax_finding
from plugline.discovery.trees import Tree, real_path, shown_path
from plugline.errors import LoadError, PluginDeclined, PluginRejected
from plugline.files import SourceFile, digest_of
from plugline.findings import Finding, Place
from plugline.host.entries import Entry, ReadEntry
from plugline.host.loader import Loaded, Loader
from plugline.host.plugin import Plugin
from plugline.host.waiting import made
from plugline.loading.modules import Undo, forget_modules
from plugline.loading.moments import LoadContext, begin, call_with, end_quietly
from plugline.loading.namespace import PrivateLoader
from plugline.loading.patches import Snapshot
from plugline.loading.target import Declined, Faulty, Target, Vanished
from plugline.loading.traces import Trace, imported_names, trace_of
from plugline.reloading import lines
from plugline.reloading.codes import compare, describes
from plugline.reloading.graft import can_graft, forget_answers, has_answers
from plugline.reloading.imported import imports_module
from plugline.reloading.memory import POSSIBLE
from plugline.reloading.parts import Done, Part, names_for
from plugline.reloading.report import How, ReloadReport
from plugline.reloading.shadow import looking_at_what_is_in_force, trial_of_this_thread
from plugline.reloading.transaction import Transaction, all_grafts, put_bodies
from plugline.reloading.transition import end_all, end_those_that_are_done

Handle = Plugin[object]

_AGREE_SECONDS = 2.0  # an editor that writes for longer than that will be seen by the next look
_PAUSE_SECONDS = 0.002
_LOOKS = 3


def read_settled(tree: Tree, relative: str) -> SourceFile | Finding:
    """Read a file until two reads agree: an editor may be writing it."""
    deadline = monotonic_seconds() + _AGREE_SECONDS
    before = tree.read(relative)
    while True:
        after = tree.read(relative)
        if type(before) is type(after) and _content(before) == _content(after):
            return after
        if monotonic_seconds() > deadline:
            return after
        before = after
        sleep(_PAUSE_SECONDS)


def _content(read: SourceFile | Finding) -> object:
    return read.content if isinstance(read, SourceFile) else read.message


def private_modules(loader: Loader) -> dict[str, ModuleType]:
    """Return the modules of a host that were run here, by name, in the order in which they were."""
    return {name: module for name in loader.module_names() if (module := _run_here(loader, name)) is not None}


def moved_modules(loader: Loader, gone: set[str]) -> list[str]:
    """Return the modules that were run here from files with these paths, each of which has become a package, or a file, since."""
    return [
        name
        for name, module in private_modules(loader).items()
        if (trace := trace_of(module)) is not None
        and trace.path in gone
        and (maker := _maker(module)).namespace.locate_anew(name, maker.relative) is not None
    ]


def _run_here(loader: Loader, name: str) -> ModuleType | None:
    module = sys.modules.get(name)
    maker = getattr(getattr(module, "__spec__", None), "loader", None)
    is_run = (
        isinstance(module, ModuleType)
        and isinstance(maker, PrivateLoader)
        and maker.has_run
        and loader.serves(maker.namespace)
    )
    return module if is_run else None


def plugins_beside(loader: Loader) -> list[Handle]:
    """Return the plugins of files that are in use, and whose module was not run here: by a worker, or by the program itself."""
    return [
        plugin
        for plugin in loader.living_handles()
        if _is_loaded(plugin) and isinstance(plugin.candidate, FileCandidate) and _runs_beside(loader, plugin)
    ]


def _is_loaded(plugin: Handle) -> bool:
    return isinstance(plugin._outcome, Loaded)  # noqa: SLF001 - see _load


def _runs_beside(loader: Loader, plugin: Handle) -> bool:
    name = loader.module_name(plugin._entry)  # noqa: SLF001 - see _load
    # One whose file went is in nobody's hands but those who hold something of it.
    return _run_here(loader, name) is None and (name in sys.modules or _runs_apart(loader, plugin))


def _maker(module: ModuleType) -> PrivateLoader:
    maker = module.__dict__["__loader__"]
    assert isinstance(maker, PrivateLoader)  # noqa: S101 - only such modules are asked
    return maker


class _Graph:
    """Which of a host's modules imports which."""

    def __init__(self, modules: dict[str, ModuleType]) -> None:
        self.modules = modules
        self._imports: dict[str, set[str]] = {}

    def imports(self, name: str) -> set[str]:
        """Return the modules that one imports, or may."""
        if len(self.modules) == 1:
            return set()
        if name not in self._imports:
            module = self.modules[name]
            trace = trace_of(module)
            assert trace is not None  # noqa: S101 - it was run here
            found = {one for one in imported_names(name, trace.code) if one in self.modules}
            found |= {
                value.__name__
                for value in module.__dict__.values()
                # By its type: a value may answer anything when it is asked for its class.
                if issubclass(type(value), ModuleType) and value.__name__ in self.modules
            }
            found.discard(name)
            self._imports[name] = found
        return self._imports[name]

    def needed_by(self, names: Iterable[str]) -> set[str]:
        """Return some modules, all of their packages, and all that they import, at any remove."""
        found: set[str] = set()
        pending = list(names)
        while pending:
            name = pending.pop()
            if name not in found and name in self.modules:
                found.add(name)
                pending += self.imports(name)
                pending += (one for one in self.modules if one.startswith(f"{name}."))
        return found

    def in_order_of_begin(self, names: list[str]) -> list[str]:
        """Return modules, given in the order in which they had run, with those first that imported others in a circle."""
        ends = {name: index for index, name in enumerate(names)}
        for name in names:
            # What it imports and has not run before it was running, and imported it.
            ends[name] = max([ends[name], *(ends.get(one, 0) for one in self.imports(name))])
        begun = names[::-1]
        begun.sort(key=ends.__getitem__)
        return begun

    def dependents(self, names: Iterable[str]) -> set[str]:
        """Return some modules and all that import them, at any remove."""
        found = set(names)
        while more := {one for one in self.modules if one not in found and not found.isdisjoint(self.imports(one))}:
            found |= more
        return found


def reload_plugins(loader: Loader, plugins: Sequence[Handle]) -> list[ReloadReport]:
    """Take the files of some plugins as they are now, all in one transaction, and say what was done with each."""
    start = monotonic_seconds()
    loader = made(loader)
    end_all()
    loaded = [plugin for plugin in plugins if _is_loaded(plugin)]
    reports = [_load_or_follow(loader, plugin, start) for plugin in plugins if plugin not in loaded]
    reports += [_installed(plugin, start) for plugin in loaded if not isinstance(plugin.candidate, FileCandidate)]
    loaded = [plugin for plugin in loaded if isinstance(plugin.candidate, FileCandidate)]
    apart = [plugin for plugin in loaded if _runs_apart(loader, plugin)]
    reports += [_renew(loader, plugin, start) for plugin in apart]
    loaded = [plugin for plugin in loaded if plugin not in apart]
    of_program = [plugin for plugin in loaded if _runs_beside(loader, plugin)]
    reports += [_imported_by_program(plugin, start) for plugin in of_program]
    loaded = [plugin for plugin in loaded if plugin not in of_program]
    if loaded:
        reports += _Reload(loader, loaded, start).run()
        _wait_shortly()
    loader.tell()
    order = {plugin.name: index for index, plugin in enumerate(plugins)}
    return sorted(reports, key=lambda report: order.get(report.plugin, len(order)))


def reload_modules(loader: Loader, names: Iterable[str]) -> list[ReloadReport]:
    """Take the files of some modules as they are now, in one transaction, and say what that did with the plugins that use them."""
    start = monotonic_seconds()
    end_all()
    reports = _Reload(made(loader), (), start, names).run()
    _wait_shortly()
    return reports


def _wait_shortly() -> None:
    """Let calls that were running end: most last for less than this."""
    for _ in range(_LOOKS):
        if end_those_that_are_done():
            return
        sleep(_PAUSE_SECONDS)


def _load_or_follow(loader: Loader, plugin: Handle, start: float) -> ReloadReport:
    """Load a plugin that is not loaded; what others have imported, of its own or of what it imports, is brought up to date first."""
    if not isinstance(plugin.candidate, FileCandidate):
        return load_again(plugin, start)
    name = loader.module_name(plugin._entry)  # noqa: SLF001 - see _load
    if _run_here(loader, name) is None:
        _Reload(loader, (), start, _imported_by_file(loader, name, plugin.candidate)).run()
        return load_again(plugin, start)
    found = _Reload(loader, (plugin,), start).run()[0]
    if found.how == "refused":
        return found
    loaded = load_again(plugin, start)
    return loaded if found.how == "unchanged" or not loaded.ok else replace(found, generation=loaded.generation)


def _imported_by_file(loader: Loader, name: str, candidate: FileCandidate) -> set[str]:
    """Return the modules that were run here and that a file would import, at any remove."""
    modules = private_modules(loader)
    source = read_settled(candidate.tree, candidate.entry) if modules else None
    if not isinstance(source, SourceFile):
        return set()
    try:
        code = loader.compiled(source.content, real_path(candidate.tree, candidate.entry))
    except Exception:  # noqa: BLE001 - who loads it is told
        return set()
    return _Graph(modules).needed_by(imported_names(name, code))


def load_again(plugin: Handle, start: float) -> ReloadReport:
    """Load a plugin that is not loaded, be it that it could not be before."""
    try:
        plugin._retry()  # noqa: SLF001 - a host owns its handles
        plugin.load()
    except (LoadError, PluginDeclined, PluginRejected) as error:
        reason = (
            Finding("P330", f"declined: {error.reason}", plugin.place) if isinstance(error, PluginDeclined) else None
        )
        findings = (reason,) if reason is not None else plugin.findings
        return ReloadReport(
            plugin=plugin.name, generation=0, how="refused", refused=findings, seconds=monotonic_seconds() - start
        )
    return _report(plugin, "loaded", start)


def _report(
    plugin: Handle,
    how: How,
    start: float,
    *,
    refused: tuple[Finding, ...] = (),
    lost: tuple[str, ...] = (),
    restart_needed: tuple[str, ...] = (),
) -> ReloadReport:
    return ReloadReport(
        plugin=plugin.name,
        generation=plugin.generation,
        how=how,
        refused=refused,
        lost=lost,
        restart_needed=restart_needed,
        seconds=monotonic_seconds() - start,
    )


def _installed(plugin: Handle, start: float) -> ReloadReport:
    hint = "restart the program, or drop the plugin's file into a folder of plugins"
    return _irreplaceable(plugin, "is an installed module, which is not replaced while the program runs", hint, start)


def _imported_by_program(plugin: Handle, start: float) -> ReloadReport:
    candidate = plugin.candidate
    assert isinstance(candidate, FileCandidate)  # noqa: S101 - the caller asked
    source = read_settled(candidate.tree, candidate.entry)
    if isinstance(source, SourceFile) and digest_of(source.content).hex() == plugin.spec.digest:
        return _report(plugin, "unchanged", start)
    hint = "restart the program; to reload it, let no module of the program import it before its host loads it"
    message = "was imported by the program itself, and what it imports is not replaced while it runs"
    return _irreplaceable(plugin, message, hint, start)


def _irreplaceable(plugin: Handle, message: str, hint: str, start: float) -> ReloadReport:
    finding = Finding("P332", message, plugin.place, hint=hint)
    return _report(plugin, "refused", start, refused=(finding,), restart_needed=(plugin.spec.module,))


def _runs_apart(loader: Loader, plugin: Handle) -> bool:
    outcome = plugin._outcome  # noqa: SLF001 - see _load
    return loader.isolator is not None and isinstance(outcome, Loaded) and loader.isolator.has(outcome.target.value)


def _renew(loader: Loader, plugin: Handle, start: float) -> ReloadReport:
    """Reload a plugin that runs in a worker: by a new worker, in the place of the old one when it has loaded it."""
    found = _renewed(loader, plugin)
    if found is True:
        return _report(plugin, "adopted", start, lost=("what its worker held",))
    return _report(plugin, "refused", start, refused=found) if found else _report(plugin, "unchanged", start)


def _renewed(loader: Loader, plugin: Handle) -> bool | tuple[Finding, ...]:
    candidate, outcome = plugin.candidate, plugin._outcome  # noqa: SLF001 - see _load
    assert isinstance(candidate, FileCandidate)  # noqa: S101 - nothing else is reloaded
    assert isinstance(outcome, Loaded)  # noqa: S101 - the caller asked
    source = read_settled(candidate.tree, candidate.entry)
    if isinstance(source, Finding):
        return (source,)
    digest = digest_of(source.content)
    entry = loader.recheck(plugin._entry, candidate, source, digest)  # noqa: SLF001 - see _load
    if entry.findings:
        return entry.findings
    found = loader.renew_isolated(entry, outcome.target.value, source, digest)
    if found is True:
        default = plugin._default  # noqa: SLF001 - see _load
        plugin._succeed(Loaded(entry, outcome.target, 0.0, entry.warnings))  # noqa: SLF001 - see _load
        plugin._default = default  # noqa: SLF001 - it leads to the new worker
    return found


class _Reload:
    def __init__(
        self, loader: Loader, plugins: Sequence[Handle], start: float, names: Iterable[str] | None = None
    ) -> None:
        self._loader = loader
        self._plugins = tuple(plugins)
        self._names = set(names) if names is not None else None
        self._start = start
        self._graph = _Graph(private_modules(loader))
        self._handles: dict[str, list[Handle]] = {}
        for plugin in loader.living_handles():
            if _is_loaded(plugin) and isinstance(plugin.candidate, FileCandidate):
                self._handles.setdefault(loader.module_name(plugin._entry), []).append(plugin)  # noqa: SLF001 - see _load
        self._moved: dict[str, str] = {}  # to which file a module's has become, a package or a file again
        self._entries: dict[str, Entry] = {}
        self._parts: list[Part] = []
        self._outcomes: list[tuple[Handle, Loaded | Vanished]] = []
        self._gone: set[Handle] = set()  # whose class is not in its file any more
        self._unloaded: list[str] = []
        self._modules: dict[str, ModuleType] = {}  # all of them, before the new version ran
        self._new: dict[str, dict[str, object]] = {}
        self._old: dict[str, dict[str, object]] = {}

    def run(self) -> list[ReloadReport]:
        self._loader.renew()
        if self._names is not None:
            names = self._names & self._graph.modules.keys()
            self._plugins = self._plugins_of(names) or self._plugins_of(self._graph.dependents(names))
        else:
            roots = [self._loader.module_name(plugin._entry) for plugin in self._plugins]  # noqa: SLF001 - see _load
            names = self._graph.needed_by(roots)
        sources: dict[str, SourceFile] = {}
        parts: dict[str, Part] = {}
        looked_at: set[str] = set()
        gone: dict[str, SourceFile | Finding] = {}
        while names := names - looked_at:
            looked_at |= names
            read, findings = self._read_all(names)
            gone |= {name: found for name, found in read.items() if self._is_gone(name, found)}
            read = {name: found for name, found in read.items() if name not in gone}
            findings = tuple(found for found in findings if found not in gone.values())
            sources |= {name: source for name, source in read.items() if isinstance(source, SourceFile)}
            if findings:
                return self._refused(findings, (*sources, *read))
            judged = {name: self._judged(name, sources[name]) for name in read}
            findings = tuple(one for found in judged.values() if isinstance(found, tuple) for one in found)
            if findings:
                return self._refused(findings, sources)
            new = {name: part for name, part in judged.items() if isinstance(part, Part)}
            parts |= new
            if self._graph.modules.keys() <= looked_at:
                break
            # What a new version imports, and the old one did not, was not looked at yet.
            names = {one for part in new.values() for one in self._imports_of_edited(part)}
        missed = tuple(
            found for name, found in gone.items() if isinstance(found, Finding) and self._is_used(name, parts)
        )
        if missed:
            return self._refused(missed, sources)
        for name in gone:
            self._graph.modules.pop(name)
        reports = (
            self._replace(sources, {name: parts[name] for name in self._in_order(set(parts))})
            if parts
            else [self._report(plugin, "unchanged", None) for plugin in self._plugins]
        )
        if all(report.how != "refused" for report in reports):
            forget_modules([name for name in gone if name not in self._handles])
        return reports

    def _is_gone(self, name: str, found: SourceFile | Finding) -> bool:
        """Whether a module's file is there no more, and it is not the one that was asked for."""
        maker = _maker(self._graph.modules[name])
        return (
            isinstance(found, Finding)
            and all(self._loader.module_name(plugin._entry) != name for plugin in self._plugins)  # noqa: SLF001 - see _load
            and maker.namespace.locate(name[len(maker.namespace.name) + 1 :].split(".")) is None
        )

    def _is_used(self, name: str, parts: dict[str, Part]) -> bool:
        """Whether a module is imported still, by what is in force or is to be."""
        for other, module in self._graph.modules.items():
            trace = trace_of(module)
            code = parts[other].code if other in parts else trace.code if trace is not None else None
            if (
                code is not None
                and other != name
                and not self._is_below(other, name)
                and imports_module(code, module, name)
            ):
                return True
        return False

    @staticmethod
    def _is_below(name: str, package: str) -> bool:
        return name.startswith(f"{package}.")

    def _read_all(self, names: set[str]) -> tuple[dict[str, SourceFile | Finding], tuple[Finding, ...]]:
        """Return what was read of the modules whose files are not what runs, and what could not be read."""
        read = {name: found for name in self._in_order(names) if (found := self._read_changed(name)) is not None}
        return read, tuple(found for found in read.values() if isinstance(found, Finding))

    def _imports_of_edited(self, part: Part) -> Iterator[str]:
        comparison = part.comparison
        codes = [new for _, new in comparison.edited] if comparison.bodies_only else [part.code]
        for code in codes:
            yield from (one for one in imported_names(part.name, code) if one in self._graph.modules)

    def _judged(self, name: str, source: SourceFile) -> Part | tuple[Finding, ...]:
        """Return what a module is to become, or what speaks against that."""
        code = self._compile(name, source)
        if isinstance(code, tuple):
            return self._admit(name, source, None) or code  # who admits may have found more to say of it
        part = self._part(name, source, code)
        return self._admit(name, source, part) or part

    def _plugins_of(self, names: set[str]) -> tuple[Handle, ...]:
        return tuple(plugin for name in self._in_order(names) for plugin in self._handles.get(name, ()))

    def _in_order(self, names: set[str]) -> list[str]:
        return [name for name in self._graph.modules if name in names]

    def _read_changed(self, name: str) -> SourceFile | Finding | None:
        """Return the source of a module where it is not the one that runs."""
        module = self._graph.modules[name]
        maker, trace = _maker(module), trace_of(module)
        read = read_settled(maker.namespace.tree, maker.relative)
        if isinstance(read, Finding):
            located = maker.namespace.locate_anew(name, maker.relative)
            if located is None:
                return read
            self._moved[name] = located
            return read_settled(maker.namespace.tree, located)
        return None if trace is not None and read.content == trace.content else read

    def _admit(self, name: str, source: SourceFile, part: Part | None) -> tuple[Finding, ...]:
        """Return what speaks against running a new version; ``part`` is ``None`` where it cannot be compiled."""
        plugins = self._handles.get(name, [])
        if not plugins:
            maker = _maker(self._graph.modules[name])
            finding = self._loader.admit_neighbour(maker.namespace, self._moved.get(name, maker.relative), source)
            return (finding,) if finding is not None else ()
        digest = digest_of(source.content)
        for plugin in plugins:
            entry = self._recheck(plugin, source, digest, part)
            if entry.findings:
                return entry.findings
            self._entries[plugin.name] = entry
        return ()

    def _recheck(self, plugin: Handle, source: SourceFile, digest: bytes, part: Part | None) -> Entry:
        known, candidate = plugin._entry, plugin.candidate  # noqa: SLF001 - see _load
        assert isinstance(candidate, FileCandidate)  # noqa: S101 - only these are looked at
        moved = self._moved.get(self._loader.module_name(known))
        if moved is not None:
            candidate = FileCandidate(candidate.name, candidate.tree, moved, candidate.module, candidate.class_name)
            known = ReadEntry(candidate, None, (), known.finder)  # nothing is known of another file
        if part is None:
            return self._loader.recheck(known, candidate, source, digest)
        spec = known.spec
        if spec is not None and can_graft(part) and not describes(part.comparison):
            # What the source says of itself, and how the interface is met, is not said in bodies of functions.
            edited = edited_spec(spec, candidate, part.trace.content, source, digest)
            if edited is not None:
                return self._loader.readmit(ReadEntry(candidate, edited, (), known.finder), source)
        # What a source says of itself is not read from what the host's compiler makes of it.
        return self._loader.recheck(
            known, candidate, source, digest, part.code if self._loader.compiler is None else None
        )

    def _compile(self, name: str, source: SourceFile) -> CodeType | tuple[Finding, ...]:
        trace = trace_of(self._graph.modules[name])
        assert trace is not None  # noqa: S101 - it was run here
        try:
            return self._loader.compiled(source.content, self._path_of(name, trace))
        except SyntaxError as error:
            return (syntax_finding(error, source.path),)
        except Exception as error:  # noqa: BLE001 - the host's compiler may raise anything
            return (Finding("P106", f"cannot be compiled: {error}", Place(source.path)),)

    def _path_of(self, name: str, trace: Trace) -> str:
        """Return the file of a module's new version, as tracebacks name it."""
        moved = self._moved.get(name)
        return real_path(_maker(self._graph.modules[name]).namespace.tree, moved) if moved is not None else trace.path

    def _part(self, name: str, source: SourceFile | None, code: CodeType | None) -> Part:
        module = self._graph.modules[name]
        trace = trace_of(module)
        assert trace is not None  # noqa: S101 - it was run here
        # Each generation has code objects of its own, also where its source is the same: a copy is quicker had than compiled.
        new_code: CodeType = code if code is not None else marshal.loads(marshal.dumps(trace.code))  # noqa: S302 - our own
        comparison = compare(trace.code, new_code)
        comparison.bodies_only &= name not in self._moved  # a package is made in another way
        return Part(
            module=module,
            loader=_maker(module),
            path=self._path_of(name, trace),
            trace=trace,
            content=source.content if source is not None else trace.content,
            code=new_code,
            comparison=comparison,
            changed=source is not None,
            generation=max((plugin.generation for plugin in self._handles.get(name, [])), default=1),
        )

    def _replace(self, sources: dict[str, SourceFile], changed: dict[str, Part]) -> list[ReloadReport]:
        parts = list(changed.values())
        if all_grafts(parts):
            done = put_bodies(parts)
            self._forget_answers_beside(changed)
            for part in parts:
                for plugin in self._handles.get(part.name, []):
                    self._succeed_grafted(plugin)
            return self._told("grafted", parts, done)
        if not POSSIBLE:
            return self._refused((_restart(parts[0], self),), sources)
        names = self._graph.in_order_of_begin(self._in_order(self._graph.dependents(changed)))
        self._parts = [changed.get(name) or self._part(name, None, None) for name in names]
        return self._adopt(sources)

    def _forget_answers_beside(self, changed: dict[str, Part]) -> None:
        """Let cached functions of modules that import what changed forget what it has answered."""
        modules = self._graph.modules
        cached = [name for name in modules if name not in changed and has_answers(modules[name].__dict__.values())]
        if cached:
            dependents = self._graph.dependents(changed)
            for name in cached:
                if name in dependents:
                    forget_answers(modules[name].__dict__.values())

    def _succeed_grafted(self, plugin: Handle) -> None:
        """Take note that another generation is in force; what provides the interface is what it was."""
        before, entry = plugin._outcome, self._entries.get(plugin.name)  # noqa: SLF001 - see _load
        if isinstance(before, Loaded) and entry is not None:
            left = tuple(one for one in before.warnings if one not in before.entry.warnings)  # of what loading it did
            plugin._succeed(Loaded(entry, before.target, before.seconds, (*entry.warnings, *left)))  # noqa: SLF001 - see _load
        else:
            plugin._succeed(None)  # noqa: SLF001 - see _load

    def _adopt(self, sources: dict[str, SourceFile]) -> list[ReloadReport]:
        namespaces = {id(part.loader.namespace): part.loader.namespace for part in self._parts}.values()
        snapshot = Snapshot()
        self._modules = snapshot.modules
        undo = Undo(lambda name: any(namespace.owns(name) for namespace in namespaces), snapshot.modules)
        first = self._parts[0]
        before = {name: _maker(self._graph.modules[name]).relative for name in self._moved}
        self._lead_to(self._moved)
        try:
            done = Transaction(self._parts, self).run()
        except BaseException:
            undo()
            self._lead_to(before)
            raise
        finally:
            snapshot.undo(first.name, Place(self.shown(first)))
        if isinstance(done, tuple):
            undo()
            self._lead_to(before)
            return self._refused(done, sources)
        for plugin, loaded in self._outcomes:
            if isinstance(loaded, Loaded):
                plugin._succeed(loaded)  # noqa: SLF001 - see _load
            else:
                plugin._outcome, plugin._default = loaded, None  # noqa: SLF001 - see _load
                self._loader.appeared.append((plugin._entry, plugin._entry.class_name))  # noqa: SLF001 - the host looks again
                self._gone.add(plugin)
        for part in self._parts:
            if part.name in self._loader.begun:
                self._loader.begun[part.name] = part.module
        return self._told("adopted", self._parts, done)

    def _lead_to(self, files: dict[str, str]) -> None:
        """Let the names of modules lead to these files."""
        for name, relative in files.items():
            _maker(self._graph.modules[name]).namespace.lead_to(name, relative)

    # ------------------------------------------------------------------ the judge of the transaction

    def check(self) -> tuple[Finding, ...]:
        self._loader.known_family = {}  # a new version may have others
        findings: list[Finding] = []
        for part in self._parts:
            outcomes = [(plugin, self._bind(plugin, part)) for plugin in self._handles.get(part.name, [])]
            # Others of its classes may be plugins that nobody has loaded yet.
            others = self._loader.known_family.get(ref(part.module), ())
            stays = any(isinstance(one, Loaded) for _, one in outcomes) or any(one in part.names for one in others)
            for plugin, outcome in outcomes:
                is_gone = stays and plugin._entry.class_name not in part.module.__dict__  # noqa: SLF001 - see _load
                if isinstance(outcome, Loaded) or (isinstance(outcome, Vanished) and is_gone):
                    self._outcomes.append((plugin, outcome))
                else:
                    found = outcome.findings if isinstance(outcome, Vanished) else outcome
                    findings += (one for one in found if one not in findings)
        return tuple(findings)

    def _bind(self, plugin: Handle, part: Part) -> Loaded | Vanished | tuple[Finding, ...]:
        entry = self._entries.get(plugin.name, plugin._entry)  # noqa: SLF001 - see _load
        start = monotonic_seconds()
        before = getattr(plugin.loaded_type, "__name__", "")
        undo = Undo(None, self._modules)
        outcome = self._loader.bind(entry, part.module, "", part.path, undo, private=True, alone=before)
        match outcome:
            case Target():
                refused = self._judged_elsewhere(plugin, outcome.value)
                return refused or Loaded(entry, outcome, monotonic_seconds() - start, entry.warnings)
            case Declined():
                return (Finding("P330", f"declined: {outcome.reason}", entry.place),)
            case Faulty():
                return outcome.findings
            case _:
                return outcome

    def _judged_elsewhere(self, plugin: Handle, value: object) -> tuple[Finding, ...]:
        """Return what those who follow the host have against a new version."""
        if not self._loader.judges:
            return ()
        # Its own module, since they may look at it in ways that see what is in force, as inspect.getattr_static does.
        shadow = trial_of_this_thread().get(id(value))
        new = shadow.beside if shadow is not None else value
        return tuple(finding for judge in self._loader.judges for finding in judge(plugin, new))

    def hand_over(self) -> None:
        at_work = [part for part in self._parts if part.name in self._loader.begun]
        for part in at_work:
            # Through the module, so that it is the new version that is seen.
            self._new[part.name] = part.module.__dict__
            self._old[part.name] = part.names
        for part in reversed(at_work):
            self._unloaded.append(part.name)
            with looking_at_what_is_in_force():
                end_quietly(self._old[part.name], part.name)
        for part in at_work:
            new = self._new[part.name]
            call_with(new.get("on_reload"), SimpleNamespace(**self._old[part.name]))
            begin(new, LoadContext(self._plugin_of(part), part.generation + 1, "reload"))

    def forget(self) -> None:
        self._new.clear()
        self._outcomes.clear()

    def take_back(self) -> None:
        for part in self._parts:
            if part.name in self._unloaded:
                try:
                    begin(part.names, LoadContext(self._plugin_of(part), part.generation, "restore"))
                except BaseException as error:
                    if users_own_interrupt(error):
                        raise
                    _log(f"on_load() of {part.name} failed when it was to open again what it had closed")

    def shown(self, part: Part) -> str:
        plugins = self._handles.get(part.name)
        relative = self._moved.get(part.name, part.loader.relative)
        return (
            plugins[0].place.path
            if plugins and part.name not in self._moved
            else shown_path(part.loader.namespace.tree, relative)
        )

    def _plugin_of(self, part: Part) -> str:
        return self._handles[part.name][0].name

    # ------------------------------------------------------------------ reports

    def _refused(self, findings: tuple[Finding, ...], names: Iterable[str]) -> list[ReloadReport]:
        for name in names:
            trace = trace_of(self._graph.modules[name])
            if trace is not None:
                lines.hold(trace.path, trace.content)
        return [
            _report(
                plugin,
                "refused",
                self._start,
                refused=findings,
                restart_needed=tuple(dict.fromkeys(_extensions(self._loader.module_name(plugin._entry)))),  # noqa: SLF001 - see _load
            )
            for plugin in self._plugins
        ]

    def _told(self, how: str, parts: list[Part], done: Done) -> list[ReloadReport]:
        # A plugin that runs again because another one changed reports too, where it was asked for.
        return [
            self._report(plugin, "removed" if plugin in self._gone else how, done, parts) for plugin in self._plugins
        ]

    def _report(self, plugin: Handle, how: str, done: Done | None, parts: Sequence[Part] = ()) -> ReloadReport:
        name = self._loader.module_name(plugin._entry)  # noqa: SLF001 - see _load
        return ReloadReport(
            plugin=plugin.name,
            generation=plugin.generation,
            how=how,  # type: ignore[arg-type]
            added=names_for(name, done.added) if done is not None else (),
            changed=names_for(name, done.changed) if done is not None else (),
            removed=names_for(name, done.removed) if done is not None else (),
            kept=names_for(name, done.kept) if done is not None else (),
            lost=names_for(name, done.lost) if done is not None else (),
            dependents=tuple(part.name for part in parts if not part.changed and part.name != name),
            in_flight=tuple(done.in_flight) if done is not None else (),
            restart_needed=_extensions(name),
            seconds=monotonic_seconds() - self._start,
        )


def _log(message: str) -> None:
    from plugline.logged import log_warning  # see host

    log_warning(__name__, message, exc_info=True)


def _restart(part: Part, reload: _Reload) -> Finding:
    message = "changed beyond the bodies of its functions, which this interpreter cannot follow while the program runs"
    return Finding("P331", message, Place(reload.shown(part)), hint="restart the program")


def _extensions(name: str) -> tuple[str, ...]:
    """Return the modules written in C below a plugin whose files are newer than the plugin's load."""
    if not hasattr(sys.modules.get(name), "__path__"):
        return ()  # nothing is below what is no package
    found = []
    prefix = f"{name}."
    for key in [key for key in list(sys.modules) if key.startswith(prefix)]:
        path = getattr(sys.modules.get(key), "__file__", None)
        if (
            isinstance(path, str)
            and path.endswith(tuple(EXTENSION_SUFFIXES))
            and _is_newer(path, sys.modules.get(name))
        ):
            found.append(key)
    return tuple(found)


def _is_newer(path: str, owner: object) -> bool:
    trace = trace_of(owner) if isinstance(owner, ModuleType) else None
    try:
        return trace is not None and os.stat(path).st_mtime > trace.began
    except OSError:
        return True
