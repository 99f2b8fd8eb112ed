"""A start message to the plugin that it carries, run and bound; or to everything that keeps it from being one."""

import os
import sys
from types import MappingProxyType, ModuleType

from plugline.blame import users_own_interrupt
from plugline.discovery.compiling import compile_source
from plugline.discovery.trees import MemoryTree, real_path
from plugline.files import SourceFile
from plugline.findings import Finding, Place
from plugline.loading.modules import Undo
from plugline.loading.namespace import Namespace, reserve, share
from plugline.loading.running import failure, run_module
from plugline.typed import CodeType, Iterable, Mapping
from plugline.values import Value


class Sent(Value):
    """What a host sends of one plugin: its sources, which were checked, and what it is to provide.

    Attributes:
        path: Its file, as in tracebacks.
        shown: The same, as in messages.
        module: Its module: the part below the private package, or the full name of an installed one.
        attribute: The object in it; empty for the module itself.
        class_name: The class that its source made out to be the plugin; empty where there is none.
        alone: The class that has the file's name where several fit; empty where none has.
        namespace: The private package; empty for an installed module.
        shared: Whether that is a real package of the host program.
        entry: The plugin's own file in the tree.
        root: The absolute folder of the tree.
        files: The files of the tree that may be run, by relative path.
        refused: Those that may not, with what speaks against it: code, message, path, line.
        injected: Names that the modules have before they run.
        bound: The names that the plugin's source binds; ``None`` where that is not known.
        imported: The names that it imports.
        interfaces: Ways to be a plugin, as data.
    """

    __slots__ = (
        "alone",
        "attribute",
        "bound",
        "class_name",
        "entry",
        "files",
        "imported",
        "injected",
        "interfaces",
        "module",
        "name",
        "namespace",
        "path",
        "refused",
        "root",
        "shared",
        "shown",
    )
    name: str
    path: str
    shown: str
    module: str
    attribute: str
    class_name: str
    alone: str
    namespace: str
    shared: bool
    entry: str
    root: str
    files: Mapping[str, bytes]
    refused: Mapping[str, list[object]]
    injected: Mapping[str, object]
    bound: list[str] | None
    imported: list[str]
    interfaces: list[dict[str, object]]

    def __init__(self, **fields: object) -> None:
        self._set(**{name: fields[name] for name in self.__slots__})

    def to_data(self) -> dict[str, object]:
        """Return the fields, for the wire."""
        return self._fields()

    def show_in(self, linecache: ModuleType) -> None:
        """Let tracebacks and :mod:`inspect` show the lines of files that may not be read here."""
        for relative, content in self.files.items():
            path = os.path.join(self.root, *relative.split("/"))
            lines = content.decode("utf-8", "replace").splitlines(keepends=True)
            linecache.cache[path] = (len(content), None, lines, path)


class _Carried:
    """Who says which bytes the private modules of a worker are made of: those that came with the start message."""

    def __init__(self, sent: Sent) -> None:
        self._sent = sent

    @property
    def injected(self) -> Mapping[str, object]:
        return self._sent.injected

    def provide(self, namespace: Namespace, relative: str) -> SourceFile | Finding:
        refused = self._sent.refused.get(relative)
        if refused is not None:
            code, message, path, line = refused
            return Finding(str(code), str(message), Place(str(path), line if isinstance(line, int) else None))
        return namespace.tree.read(relative)

    def compile(self, namespace: Namespace, relative: str, source: SourceFile) -> tuple[CodeType, object]:
        return compile_source(source.content, real_path(namespace.tree, relative)), None

    def text(self, namespace: Namespace, relative: str, ran: object) -> bytes | None:
        return self._sent.files.get(relative)

    def admit_native(self, namespace: Namespace, relative: str) -> None:
        """See :class:`plugline.loading.namespace.Provider`: of a package it was admitted with the plugin."""

    def recall(self, namespace: Namespace, relative: str, ran: object) -> None:
        """See :class:`plugline.loading.namespace.Provider`: nothing is remembered here."""


class Bound(Value):
    """A plugin that was run and provides an interface.

    Attributes:
        value: The module, an object in it, or a class.
        interface: Which of the interfaces it provides, as a number.
        members: What the interface asks for and is no function, by name.
        names: The variables of its module; empty where something else stands in its place.
    """

    __slots__ = ("interface", "members", "names", "value")
    value: object
    interface: int
    members: tuple[str, ...]
    names: Mapping[str, object]

    def __init__(
        self,
        value: object,
        interface: int,
        members: tuple[str, ...],
        names: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        self._set(value=value, interface=interface, members=members, names=names)

    @property
    def opens(self) -> bool:
        """Whether it is to be told when it may open what it owns."""
        return "on_load" in self.names

    @property
    def closes(self) -> bool:
        """Whether it, or an instance of it, is to be told when it has to close that."""
        if "on_unload" in self.names or not isinstance(self.value, type):
            return "on_unload" in self.names
        return any("on_unload" in _names_of_class(one) for one in _bases_of_class(self.value))


class Declines(Value):
    """A plugin's own word that it does not apply here."""

    __slots__ = ("reason",)
    reason: str

    def __init__(self, reason: str) -> None:
        self._set(reason=reason)


Outcome = Bound | Declines | tuple[Finding, ...]

# Past what a metaclass has to say of it.
_names_of_class = type.__dict__["__dict__"].__get__
_bases_of_class = type.__dict__["__mro__"].__get__

_keep: list[object] = []  # the provider, which the namespace holds weakly


def forget_all() -> None:
    """Let go of what was loaded: where that was no more than a rehearsal."""
    _keep.clear()


def load_sent(sent: Sent) -> Outcome:
    """Run the plugin and bind it, or say what keeps it from being one."""
    place = Place(sent.shown)
    name = sent.module
    owns = None
    if sent.namespace:
        tree = MemoryTree(sent.shown, sent.files)
        tree.shown, tree.real = sent.root, sent.root
        provider = _Carried(sent)
        _keep.append(provider)
        namespace = (
            share(sent.namespace, tree, provider)
            if sent.shared
            else reserve(sent.namespace, tree, provider, exact=False)
        )
        namespace.stems[sent.module] = sent.entry
        name, owns = namespace.module_name(sent.module), namespace.owns
    undo = Undo(owns)
    module = run_module(name, sent.path, sent.shown, undo)
    if isinstance(module, tuple):
        return module
    try:
        found = _bind(sent, module, place)
        if not isinstance(found, Bound) or type(module) is not ModuleType:
            return found
        return Bound(found.value, found.interface, found.members, module.__dict__)
    except BaseException as error:
        undo()
        if users_own_interrupt(error):
            raise
        return (failure(error, sent.path, sent.shown, "while it was checked"),)


def _bind(sent: Sent, module: object, place: Place) -> Outcome:
    if type(module) is type(sys) and not hasattr(module, "available"):
        found = _plain_functions(sent, module)
        if found is not None:
            return found
    from plugline.worker.binding import bind  # what costs two bare starts to import; few need it

    return bind(sent, module, place)


def _plain_functions(sent: Sent, module: object) -> Bound | None:
    """Bind the plainest of plugins: a module in which each function that is asked for is defined, with fitting parameters."""
    if len(sent.interfaces) != 1 or sent.attribute or sent.class_name or sent.bound is None:
        return None
    (interface,) = sent.interfaces
    if interface["base"]:
        return None
    for name, is_function, shape in interface["members"]:  # type: ignore[attr-defined]
        function = getattr(module, name, None)
        code = getattr(function, "__code__", None)
        if not is_function or name not in sent.bound or type(function) is not type(_bind) or code is None:
            return None
        if shape is not None:
            # Exactly the parameters of the interface, by position: everything else is for the general code.
            _, is_async, keywords, open_keywords, open_positional, positional, required, _ = shape
            if keywords or open_keywords or open_positional or len(positional) != required:
                return None
            if code.co_argcount != required or code.co_kwonlyargcount or code.co_flags & (0x0C if is_async else 0x28C):
                return None
    return Bound(module, 0, ())


def open_sent(sent: Sent, bound: Bound, generation: int, reason: str) -> Finding | None:
    """Let a plugin open what it owns; returns what it raises instead. See :class:`plugline.loading.moments.LoadContext`."""
    if not bound.opens:
        return None
    from plugline.loading.moments import LoadContext, begin  # few plugins own anything

    try:
        begin(bound.names, LoadContext(sent.name, generation, reason))
    except BaseException as error:
        if users_own_interrupt(error):
            raise
        return failure(error, sent.path, sent.shown, "in on_load()")
    return None


def close_sent(sent: Sent, bound: Bound, instances: Iterable[object]) -> None:
    """Let a plugin, and instances of it, close what they own; what that raises is told to the log."""
    if not bound.closes:
        return
    from plugline.loading.moments import call_with, end_quietly  # few plugins own anything

    for one in instances:
        if type(one) is bound.value:
            end_quietly({"on_unload": lambda one=one: call_with(getattr(one, "on_unload", None))}, sent.name)
    end_quietly(bound.names, sent.name)
