"""ASGI middleware as files in a folder, swapped while requests are served. For Starlette, and any other ASGI application.

::

    app = Starlette(routes=..., middleware=[Middleware(plugline.integrations.starlette.Plugins, folder="plugins", watch=True)])

    app = Plugins(app, folder="plugins")     # around any ASGI application

A file is plain ASGI: each public class that is defined in it (of a package: in one of its modules, and is imported by it) and takes
``(scope, receive, send)`` is a middleware, made with the next application as its argument. Nothing of plugline is in it. The first
file by name is the outermost.

What holds:
    1. A request keeps the chain that it began with, to its last byte. A file that changes, comes or goes takes effect
       for the next one.
    2. A version whose code or constructor raises never reaches a request: the one before it stays, and the finding is in
       :attr:`Plugins.findings` and in the log ``plugline``.
    3. A file that did not change keeps its instances, and what they hold; a change of what files share (a file whose name begins
       with ``_``, or one that is not a middleware) makes all of them anew.

Each version is a module of its own, and is let go when its last request has ended. For that reason this is not the reload of
:class:`plugline.Host`, in which what a host holds becomes the new code at once.

Not promised: ``lifespan`` is sent through the chain that stands when the server starts, and to no later version. Where the operating
system tells nothing of changes (it is asked on Linux only), the folder is looked at five times a second at most.
"""

import os
import weakref
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from inspect import iscoroutinefunction, signature
from itertools import count
from threading import Lock
from types import FunctionType, MethodType
from typing import Any, Final

from anyio import move_on_after, to_thread

from plugline.admission.policy import Admitting
from plugline.blame import describe_error, users_own_interrupt
from plugline.discovery.candidates import Candidate, FileCandidate
from plugline.errors import PluglineError
from plugline.findings import Finding, Place
from plugline.host import Host, Plugin
from plugline.integrations.changes import Changes
from plugline.integrations.readiness import Told
from plugline.names import did_you_mean, is_public

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

_PATIENCE_SECONDS = 5.0  # for a new version; a request goes on with the old one after that
_ABSENCE_SECONDS = 0.05  # an editor that moves a file away and writes a new one takes less

_ALWAYS: Final = (True,)
_NEVER: Final = (False,)
_numbers = count()
_all: weakref.WeakSet["Plugins"] = weakref.WeakSet()


class _Generation:
    """One look at the folder: a host, which is to be closed when nothing of it is used any more.

    The garbage collector may find that out at any moment, in the middle of a load too, so it only takes a note.
    """

    __slots__ = ("__weakref__",)

    def __init__(self, host: Host[object], unused: deque[Host[object]]) -> None:
        weakref.finalize(self, unused.append, host)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Version:
    """One version of one plugin that works.

    Attributes:
        name: Of the plugin.
        content: Of its files and of those that are shared; what tells versions apart.
        entry: Its middleware, the outermost where it has several.
        generation: Keeps its host open for as long as anything of it is in use.
    """

    name: str
    content: object
    entry: App
    generation: _Generation


class _Chain:
    """What a request goes through; it keeps what it is made of alive.

    Attributes:
        versions: The outermost first.
        entry: Where a request begins.
        begin: What begins one: calls that, and returns a coroutine.
        after: What comes after each plugin, by its name.
    """

    __slots__ = ("after", "begin", "entry", "versions")

    def __init__(self, versions: tuple[_Version, ...], app: App) -> None:
        calls = [*(_direct(version.entry) for version in versions), app]
        self.versions = versions
        self.entry = versions[0].entry if versions else app
        self.begin = _returning_coroutine(calls[0])
        self.after: dict[str, object] = {version.name: calls[at] for at, version in enumerate(versions, 1)}
        self.after[""] = self  # who holds it holds all that the chain is made of


def _direct(entry: App) -> App:
    """Return what Python calls without looking for ``__call__`` each time, which makes up for what is added to a request."""
    call = getattr(type(entry), "__call__", None)  # noqa: B004 - not whether there is one
    return MethodType(call, entry) if isinstance(call, FunctionType) else entry


def _returning_coroutine(call: App) -> App:
    """Return a call of which a task can be made, as servers do."""
    if iscoroutinefunction(call) or iscoroutinefunction(getattr(call, "__call__", None)):  # noqa: B004 - as above
        return call

    async def awaiting(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        await call(scope, receive, send)

    return awaiting


def _next(plugins: "Plugins", name: str) -> App:
    """Return the application behind a plugin: the next one in the chain that the request began with.

    So an instance stays while its neighbours are swapped, and no request sees two chains.
    """
    key = plugins.key

    def call_next(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        # No attribute of an object, and no coroutine of its own: this stands between any two plugins.
        try:
            after = scope[key][name]
        except KeyError:  # a plugin passed on a scope of its own, or was called outside a request
            after = plugins.chain.after.get(name, plugins.app)
        return after(scope, receive, send)  # type: ignore[no-any-return]

    return call_next


class Plugins:
    """Middleware that is made of the files of a folder.

    Attributes:
        app: What is behind it.
        findings: What is wrong with the files as they are now.
        chain: What the next request goes through; of no public form.
        key: Under which a request's scope keeps what comes after each plugin.

    Args:
        app: What is behind it.
        folder: Where the files are; relative to the working directory.
        watch: Whether changes take effect while the program runs.
        options: Keyword arguments for constructors, by the plugin's name.
        policy: As for :class:`plugline.Host`.
    """

    def __init__(
        self,
        app: App,
        folder: str | os.PathLike[str],
        *,
        watch: bool = False,
        options: Mapping[str, Mapping[str, object]] | None = None,
        policy: Admitting | None = None,
    ) -> None:
        self.app = app
        self.findings: tuple[Finding, ...] = ()
        self.key = f"plugline.chain.{next(_numbers)}"
        self.chain = _Chain((), app)
        self._folder = os.path.abspath(folder)
        self._options = options or {}
        self._policy = policy
        self._lock = Lock()
        self._stuck = False
        self._hosts: list[Host[object]] = []
        self._unused: deque[Host[object]] = deque()
        self._content: object = None
        self._changes = Changes(self._folder) if watch else None
        # What says whether to attend to changes first, by one look; see _update_until_current for who sets it.
        self._told: Told = self._changes.told if self._changes is not None else _NEVER
        # Servers ask whether this is a coroutine function. What Python calls is the method of the class.
        self.__call__ = self._serve  # type: ignore[method-assign]
        self._update(_content_of(self._folder))
        _all.add(self)

    @property
    def names(self) -> tuple[str, ...]:
        """The plugins that the next request goes through, the outermost first."""
        return tuple(version.name for version in self.chain.versions)

    def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> Awaitable[None]:
        """Serve one request, or whatever the server asks for. Returns a coroutine, which is the chain's own where nothing changed."""
        if self._told[0] or self._unused:
            return self._serve(scope, receive, send)
        chain = self.chain
        scope[self.key] = chain.after
        return chain.begin(scope, receive, send)

    async def _serve(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        changes = self._changes
        if changes is not None and self._told[0] and not self._stuck:
            await self._catch_up(changes)
        if self._unused:
            self._close_unused()
        chain = self.chain
        scope[self.key] = chain.after
        await chain.begin(scope, receive, send)

    def close(self) -> None:
        """Let go of the plugins, and watch no more; the application behind them is served alone from now on."""
        with self._lock:
            if self._changes is not None:
                self._changes.close()
            self._changes = None
            self._told = _NEVER
            self.chain = _Chain((), self.app)
            for host in self._hosts:
                host.close()
            self._hosts.clear()

    def _be_forked(self) -> None:
        self._lock = Lock()  # whoever held it is not in this process
        self._stuck = False
        if self._changes is not None:
            self._changes.forked()
            self._told = _ALWAYS

    def _close_unused(self) -> None:
        if self._lock.acquire(blocking=False):
            try:
                while self._unused:
                    host = self._unused.popleft()
                    host.close()
                    self._hosts = [other for other in self._hosts if other is not host]
            finally:
                self._lock.release()

    async def _catch_up(self, changes: Changes) -> None:
        self._told = _ALWAYS  # until it is seen to: who comes meanwhile waits as well
        with move_on_after(_PATIENCE_SECONDS) as patience:
            await to_thread.run_sync(self._update_until_current, changes, abandon_on_cancel=True)
        # Where code hangs while it is loaded, one request has waited for it, and the others need not.
        if patience.cancelled_caught:
            self._stuck = True
            if not self._lock.locked():  # it ended just now, and may have said so before the line above
                self._stuck = False

    def _update_until_current(self, changes: Changes) -> None:
        with self._lock:
            # Before it is taken: from then on it is not seen any more. Who was here before may have said that all is done.
            self._told = _ALWAYS
            while self._changes is changes and changes.take():
                content = _content_of(self._folder)
                if any(path not in content for path in self._content or ()) and changes.wait(_ABSENCE_SECONDS):  # type: ignore[attr-defined]
                    continue
                self._update(content)
            self._told = changes.told if self._changes is changes else _NEVER
        self._stuck = False

    def _update(self, content: dict[str, bytes]) -> None:
        if content == self._content:
            return
        host = Host(self._folder, policy=self._policy)
        self._hosts.append(host)
        generation = _Generation(host, self._unused)
        old = {version.name: version for version in self.chain.versions}
        plugins = {plugin.name: plugin for plugin in host}
        own = {name: _own(content, plugin.candidate) for name, plugin in plugins.items()}
        # What is no middleware may be imported by what is; what was one and is none now is broken.
        helpers = [name for name in plugins if name not in old and not _classes_of(plugins[name])]
        apart = {path for name in plugins if name not in helpers for path in own[name]}
        apart |= {path for rejected in host.rejected for path in _files_of(content, self._relative(rejected.place))}
        shared = {path: text for path, text in content.items() if path not in apart}
        findings: list[Finding] = []
        versions = {}
        for name, plugin in plugins.items():
            version = old.get(name)
            if version is None or version.content != (own[name], shared):
                new = self._made(plugin, generation, (own[name], shared), findings)
                version = new if new is not None else version
            if version is not None:
                versions[name] = version
        for rejected in host.rejected:
            findings += rejected.findings
            if rejected.name in old:
                versions[rejected.name] = versions.get(rejected.name, old[rejected.name])
        known = {*plugins, *(rejected.name for rejected in host.rejected)}
        for name in self._options.keys() - known:
            hint = did_you_mean(name, known, kind="files")
            findings.append(
                Finding("P403", f"options names {name!r}, and no file is called that", Place("options"), hint)
            )
        self.chain = _Chain(tuple(versions[name] for name in sorted(versions)), self.app)
        self._content = content
        told, self.findings = self.findings, (*host.findings, *findings)
        if self.findings and self.findings != told:
            self._tell()

    def _made(
        self, plugin: Plugin[object], generation: _Generation, content: object, findings: list[Finding]
    ) -> _Version | None:
        """Run a file and make its middleware; ``None`` where that fails, for which there are findings then."""
        place = plugin.place
        classes = _classes_of(plugin)
        if not classes:
            if plugin.state == "loaded":
                hint = "begin its name with '_' if it is there for the others to import"
                findings.append(Finding("P403", "defines no ASGI middleware", place, hint=hint))
            return None  # else the host keeps why
        entry: App = _next(self, plugin.name)
        for made_by in reversed(classes):
            try:
                entry = made_by(entry, **self._options.get(plugin.name, {}))
            except BaseException as error:
                if users_own_interrupt(error):
                    raise
                text = describe_error(error, place.path)
                line = text.line if text.path == place.path else None
                message = f"{made_by.__name__}() raised {text.said}"
                findings.append(Finding("P403", message, Place(place.path, line)))
                return None
        return _Version(name=plugin.name, content=content, entry=entry, generation=generation)

    def _relative(self, place: Place) -> str:
        return os.path.relpath(os.path.realpath(place.path), os.path.realpath(self._folder))

    def _tell(self) -> None:
        import logging  # only when something is wrong

        logging.getLogger("plugline").warning(
            "middleware of %s (of what is told here the version before, if there is one, stays in use):\n%s",
            self._folder,
            "\n".join(str(finding) for finding in self.findings),
        )


def _be_forked() -> None:
    for plugins in tuple(_all):
        plugins._be_forked()  # noqa: SLF001 - its own module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_be_forked)


def _own(content: Mapping[str, bytes], candidate: Candidate) -> dict[str, bytes]:
    """Return the files that are one plugin's own."""
    assert isinstance(candidate, FileCandidate)  # noqa: S101 - the host has one folder
    return {path: content.get(path, b"") for path in _files_of(content, candidate.entry)}


def _files_of(content: Mapping[str, bytes], entry: str) -> list[str]:
    folder, slash, last = entry.rpartition("/")
    return [path for path in content if path.startswith(folder + slash)] if last == "__init__.py" else [entry]


def _classes_of(plugin: Plugin[object]) -> list[Callable[..., App]]:
    try:
        return list(_middleware_in(plugin.load()))
    except PluglineError:
        return []


def _middleware_in(module: object) -> Iterator[Callable[..., App]]:
    found = {value: None for name, value in list(vars(module).items()) if isinstance(value, type) and is_public(name)}
    for value in found:  # once, whatever its names
        if _is_own(value, module) and any("__call__" in vars(base) for base in value.__mro__) and _takes_request(value):
            yield value


def _is_own(value: type, module: object) -> bool:
    """Whether it is defined in a module, or in one of those that make it up."""
    name = getattr(module, "__name__", "")
    return value.__module__ == name or (hasattr(module, "__path__") and value.__module__.startswith(name + "."))


def _takes_request(value: type) -> bool:
    try:
        signature(value.__call__).bind("self", "scope", "receive", "send")
    except TypeError:
        return False
    except ValueError:  # written in another language, which says nothing
        return True
    return True


def _content_of(folder: str) -> dict[str, bytes]:
    """Return the bytes of all Python files below a folder, by their path in it. What cannot be read is not there."""
    found = {}
    for above, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__" and not name.startswith(".")]
        for name in files:
            if name.endswith(".py"):
                path = os.path.join(above, name)
                try:
                    with open(path, "rb") as file:
                        found[os.path.relpath(path, folder)] = file.read()
                except OSError:
                    continue
    return found
