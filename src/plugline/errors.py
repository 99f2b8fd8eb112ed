"""One exception tree.

::

    PluglineError
    ├── ConfigurationError     what a pipeline file or the command line asks for is wrong: its user's to mend
    ├── ModuleMissing          a module that was asked for by name is not installed (also an ImportError)
    ├── NameMissing            a module has no such name (also an AttributeError)
    ├── PluginError            about one plugin
    │   ├── UnknownPlugin      no plugin has this name (also a LookupError)
    │   ├── PluginRejected     it failed a check before it was loaded: its author's to mend
    │   │   ├── PluginDisabled     its user switched it off
    │   │   └── PluginQuarantined  it failed too often, and is set aside until it is reloaded or released
    │   ├── PluginDeclined     it said itself that it does not apply here
    │   ├── LoadError          its code could not be run or does not do what it has to: its author's to mend
    │   │   └── SettingsRefused  the settings that it was given do not fit: their user's to mend
    │   ├── StepFailed         it raised while it worked
    │   ├── PluginRaised       it raised in its worker; also an exception of the built-in kind that it raised
    │   └── WorkerFailed       its worker ended, was silent for too long, or sent what is no answer
    │       └── WorkerTimedOut   it was silent for too long (also a TimeoutError)
    ├── RunStopped             a run ended before its end; the output is not in place
    ├── StillLoading           another thread does not come to the end of loading a plugin (also a TimeoutError)
    └── SandboxUnavailable     this machine cannot hold a plugin in a sandbox: its owner's to mend

All of them pickle: their arguments are their attributes.
"""

import builtins

from plugline.findings import Finding, printable, printable_lines
from plugline.typed import Sequence


class PluglineError(Exception):
    """What plugline raises. A wrong argument to a function of ours is a ``ValueError`` or ``TypeError`` instead."""


class ConfigurationError(PluglineError):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings)
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join(str(finding) for finding in self.findings)


class ModuleMissing(PluglineError, ImportError):
    """A module that was asked for by name is not installed."""

    def __init__(self, module: str, message: str) -> None:
        super().__init__(module, message)
        self.name = module  # as every ImportError has it
        self.module = module
        self.message = message

    def __str__(self) -> str:
        return self.message


class NameMissing(PluglineError, AttributeError):
    """A module is there, but has no such name."""

    def __init__(self, module: str, name_in_module: str, message: str) -> None:
        super().__init__(module, name_in_module, message)
        self.module = module
        self.name_in_module = name_in_module
        self.message = message

    def __str__(self) -> str:
        return self.message


class PluginError(PluglineError):
    """About one plugin; ``plugin`` is its name."""

    plugin: str


class UnknownPlugin(PluginError, LookupError):
    """No plugin has this name."""

    def __init__(self, plugin: str, known: Sequence[str], hint: str) -> None:
        super().__init__(plugin, known, hint)
        self.plugin = plugin
        self.known = tuple(known)
        self.hint = hint

    def __str__(self) -> str:
        return f"no plugin is named {self.plugin!r}\n  hint: {self.hint}"


class _Refused(PluginError):
    """What rejected and unloadable plugins share: findings."""

    _verb = "is refused"

    def __init__(self, plugin: str, findings: Sequence[Finding]) -> None:
        super().__init__(plugin, findings)
        self.plugin = plugin
        self.findings = tuple(findings)

    def __str__(self) -> str:
        return "\n".join([f"plugin {self.plugin!r} {self._verb}:", *(str(finding) for finding in self.findings)])


class PluginRejected(_Refused):
    """A plugin failed a check before its code was run."""

    _verb = "was rejected"


class PluginDisabled(PluginRejected):
    """A plugin was switched off, or left out of this host by ``only=`` or ``plugins=False``."""

    _verb = "is disabled"


class PluginQuarantined(PluginRejected):
    """A plugin failed too often in a row, and is set aside until it is reloaded or released."""

    _verb = "is in quarantine"


class LoadError(_Refused):
    """A plugin's code could not be run, or does not provide what the interface asks for."""

    _verb = "could not be loaded"


class SettingsRefused(LoadError):
    """The settings that a plugin was given do not fit.

    Attributes:
        paths: Where among the settings each finding is: keys and indexes that lead to it.
    """

    _verb = "refused its settings"

    def __init__(self, plugin: str, findings: Sequence[Finding], paths: Sequence[tuple[str | int, ...]]) -> None:
        super().__init__(plugin, findings)
        self.args = (plugin, findings, paths)
        self.paths = tuple(paths)


class PluginDeclined(PluginError):
    """A plugin's ``available()`` said that it does not apply here."""

    def __init__(self, plugin: str, reason: str) -> None:
        super().__init__(plugin, reason)
        self.plugin = plugin
        self.reason = reason

    def __str__(self) -> str:
        return f"plugin {self.plugin!r} declined: {printable(self.reason)}"


class StepFailed(PluginError):
    """A plugin raised while it worked; the exception itself is ``__cause__``.

    Attributes:
        plugin: The name of the plugin.
        index: Its place in the chain, from 0.
        kind: The name of the exception's class.
        message: What it said.
        path: The file in which it was raised, as far as that is known.
        line: The line of it.
    """

    def __init__(self, plugin: str, index: int, kind: str, message: str, path: str | None, line: int | None) -> None:
        super().__init__(plugin, index, kind, message, path, line)
        self.plugin = plugin
        self.index = index
        self.kind = kind
        self.message = message
        self.path = path
        self.line = line

    def __str__(self) -> str:
        line = f":{self.line}" if self.line is not None else ""
        place = f" at {self.path}{line}" if self.path is not None else ""
        said = f": {self.message}" if self.message else ""
        return printable(f"plugin {self.plugin!r} (step {self.index + 1}) raised {self.kind}{said}{place}")


class StillLoading(PluglineError, TimeoutError):
    """Another thread has been loading a plugin of the host for longer than anybody should wait; to be tried again."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds

    def __str__(self) -> str:
        return f"another thread has been loading a plugin for more than {self.seconds:g} seconds"


class PluginRaised(PluginError):
    """A plugin raised in its worker. What it raised stays there; this is what it said.

    Where that was of a built-in class, such as ``ValueError``, or of one derived from it, this is an instance of that
    class as well, so that ``except ValueError`` does what it does without a worker. ``SystemExit`` and its like,
    which would end the host, are the exception.

    Attributes:
        plugin: The name of the plugin.
        kind: The name of the exception's class.
        message: What it said.
        path: The file in which it was raised, as far as that is known.
        line: The line of it.
        traceback: The traceback as text, which is shown as a note; empty where it was left out.
        bases: The names of the built-in classes that its class derives from, the nearest first.
    """

    def __init__(
        self,
        plugin: str,
        kind: str,
        message: str,
        path: str | None = None,
        line: int | None = None,
        traceback: str = "",
        bases: Sequence[str] = (),
    ) -> None:
        Exception.__init__(self, plugin, kind, message, path, line, traceback, bases)
        self.plugin = plugin
        self.kind = kind
        self.message = message
        self.path = path
        self.line = line
        self.traceback = traceback
        self.bases = tuple(bases)

    def __str__(self) -> str:
        place = f" at {self.path}:{self.line}" if self.path is not None and self.line is not None else ""
        said = f": {self.message}" if self.message else ""
        return printable(f"plugin {self.plugin!r} raised {self.kind}{said}{place}")

    def __reduce__(self) -> tuple[object, ...]:
        return plugin_raised, self.args


_raised_classes: dict[str, type[PluginRaised]] = {}


def plugin_raised(
    plugin: str,
    kind: str,
    message: str,
    path: str | None = None,
    line: int | None = None,
    traceback: str = "",
    bases: Sequence[str] = (),
) -> PluginRaised:
    """Return the :class:`PluginRaised` that is also of the nearest of the built-in classes named in ``bases``."""
    error = _raised_class(bases)(plugin, kind, message, path, line, traceback, bases)
    if traceback:
        error.add_note(f"in the worker of plugin {plugin!r}:\n{printable_lines(traceback.rstrip())}")
    return error


def _raised_class(bases: Sequence[str]) -> type[PluginRaised]:
    name = bases[0] if bases else "Exception"
    if name not in _raised_classes:
        base = getattr(builtins, name, None)
        if not (isinstance(base, type) and issubclass(base, Exception)) or base in (Exception, StopIteration):
            return PluginRaised
        if issubclass(base, (BaseExceptionGroup, StopIteration, StopAsyncIteration)):
            return PluginRaised  # groups hold exceptions; the others would end somebody else's loop
        _raised_classes[name] = type("PluginRaised", (PluginRaised, base), {"__module__": __name__})
    return _raised_classes[name]


class WorkerFailed(PluginError):
    """The worker of a plugin ended, or sent what is no answer; the next call gets a new one.

    Attributes:
        plugin: The name of the plugin.
        what: What happened.
        hint: What to do about it.
    """

    def __init__(self, plugin: str, what: str, hint: str | None = None) -> None:
        Exception.__init__(self, plugin, what, hint)
        self.plugin = plugin
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        hint = f"\n  hint: {self.hint}" if self.hint is not None else ""
        return f"{printable(f'the worker of plugin {self.plugin!r} {self.what}')}{hint}"


class WorkerTimedOut(WorkerFailed, TimeoutError):
    """The worker of a plugin took longer than it may, and was killed; the next call gets a new one."""


class RunStopped(PluglineError):
    """A run ended before its end: its output is not in place.

    Attributes:
        finding: Why, with what to do.
        report: What had been done by then, a :class:`plugline.pipeline.report.RunReport`.
        interrupted: Whether it was the user's own Ctrl-C.
    """

    def __init__(self, finding: Finding, report: object = None, *, interrupted: bool = False) -> None:
        super().__init__(finding, report)
        self.finding = finding
        self.report = report
        self.interrupted = interrupted

    def __str__(self) -> str:
        return str(self.finding)


class SandboxUnavailable(PluglineError):
    """A sandbox was asked for, and cannot be put around the process here: nothing was run in less.

    Attributes:
        what: What is missing.
        hint: What to do.
    """

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"no sandbox: {self.what}\n  hint: {self.hint}"
