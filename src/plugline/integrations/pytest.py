"""pytest plugins as files in a folder, as if they were installed.

On the command line ``pytest -p plugline.integrations.pytest --plugins-dir DIR``, in the configuration ``plugins_dir = DIR``
beside ``addopts = -p plugline.integrations.pytest``, or in the top-level ``conftest.py``::

    from plugline.integrations.pytest import plugins

    pytest_plugins = plugins("DIR")

Their command-line options are known, their assertions are rewritten, ``-p no:NAME`` keeps one out, and one that is
broken is told in pytest's header and left out. They stand at the top level of imports, under their own names, since
plugins that were made to be installed import themselves by them; one whose name is somebody else's is left out too.

Not promised: a dropped plugin's wrapper around ``pytest_load_initial_conftests`` does not wrap what was called before
the folder was known.

PYTEST_DONT_REWRITE: it is imported before pytest could.
"""

import os
import sys
from collections.abc import Callable, Iterable
from copy import copy
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    # Who names no folder, and waits for the start of pytest, imports nothing of it.
    from plugline.findings import Finding
    from plugline.integrations.top_level import TopLevel

_NAME = "plugline.integrations.pytest"


def plugins(folder: str | os.PathLike[str]) -> list[str]:
    """Return what a top-level ``conftest.py`` assigns to ``pytest_plugins``, alone or beside other names.

    Args:
        folder: Relative to the file that calls this.
    """
    here = sys._getframe(1).f_globals.get("__file__") or ""  # noqa: SLF001 - as warnings finds its caller
    _asked_for.append(os.path.join(os.path.dirname(os.path.abspath(here)), folder))
    return [_NAME]


_asked_for: list[str] = []  # by a conftest.py that pytest is about to register


class _Folders:
    """The folders of one run of pytest.

    Attributes:
        folders: By path.
        used: Names of plugins that are registered.
        findings: What is wrong with those that are left out.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.folders: dict[str, TopLevel] = {}
        self.used: list[str] = []
        self._findings: list[Finding] = []
        self._registered: list[tuple[ModuleType, str, str]] = []  # with the name of the plugin, and its file
        self._config = config
        self._is_told = False
        # What code depends on that pytest has rewritten; empty where it rewrites none.
        self._way = ""
        if config.known_args_namespace.assertmode == "rewrite":
            self._way = f"pytest {pytest.__version__}, {config.getini('enable_assertion_pass_hook')}"

    @property
    def findings(self) -> "list[Finding]":
        """What is wrong with plugins that are left out, and what is to be told of the others."""
        return [*self._findings, *(finding for folder in self.folders.values() for finding in folder.findings)]

    def take(self, folders: Iterable[str]) -> list[ModuleType]:
        """Register the plugins of folders that are new, and return their modules."""
        return [module for folder in folders for module in self._take(os.path.abspath(folder))]

    def _take(self, path: str) -> list[ModuleType]:
        if path in self.folders:
            return []
        modules = []
        from plugline.host.holding import PausedCollector

        with PausedCollector():
            from plugline.integrations.top_level import TopLevel

            folder = self.folders[path] = TopLevel(
                path, compiler=self._compiler(), making=self._way, is_other=_is_of_tests
            )
            for called, name, file in folder.run(self._is_wanted):
                module = sys.modules.get(name)
                if isinstance(module, ModuleType) and self._register(module, called, called, file):
                    inner = self._inner(module, called, file)
                    if inner is None:
                        self._config.pluginmanager.unregister(module)
                    else:
                        self.used.append(called)
                        modules += [module, *inner]
        return modules

    def _inner(self, package: ModuleType, called: str, file: str) -> list[ModuleType] | None:
        """Register the module of a package that pytest would get of it as installed: ``pytest_cov.plugin``, say.

        ``None`` where that cannot be used.
        """
        if not hasattr(package, "__path__") or any(key.startswith("pytest_") for key in vars(package)):
            return []
        from plugline.lookup import find_module  # most are files

        name = f"{package.__name__}.plugin"
        found = find_module(name)
        if found is None:
            return []
        file = found.origin or file
        try:
            __import__(name)
        except BaseException as error:
            from plugline.blame import users_own_interrupt  # few plugins fail
            from plugline.loading.running import failure

            if users_own_interrupt(error):
                raise
            self._findings.append(failure(error, file, file, "while it was loaded"))
            return None
        module = sys.modules[name]
        return [module] if self._register(module, name, called, file) else None

    def _is_wanted(self, name: str) -> bool:
        is_blocked = self._config.pluginmanager.is_blocked
        return not is_blocked(name) and not is_blocked(name.removeprefix("pytest_").removeprefix("pytest-"))

    def refuse_unknown_hooks(self) -> None:
        """Leave out plugins with a hook that nobody has: pytest would end the run for it. For when all plugins are there."""
        manager = self._config.pluginmanager
        for module, called, file in self._registered:
            for hook in manager.get_hookcallers(module) or ():
                implemented = next(found for found in hook.get_hookimpls() if found.plugin is module)
                if hook.has_spec() or implemented.optionalhook:
                    continue
                from plugline.findings import Finding, Place  # few are

                self._findings.append(Finding("P401", f"is refused by pytest: unknown hook {hook.name!r}", Place(file)))
                manager.unregister(module)
                self.used = [name for name in self.used if name != called]
                break

    def _register(self, module: ModuleType, name: str, called: str, file: str) -> bool:
        manager = self._config.pluginmanager
        try:
            manager.register(module, name)
        except Exception as error:  # noqa: BLE001 - a hook that pytest does not know, an option that is there already
            from plugline.blame import describe_error  # few are
            from plugline.findings import Finding, Place

            text = describe_error(error, file)
            # What pluggy says has several lines.
            message = f"is refused by pytest: {text.kind.rpartition('.')[2]}: {' '.join(text.message.split())}"
            self._findings.append(Finding("P401", message, Place(file)))
            if manager.is_registered(module):
                manager.unregister(module)
            return False
        self._registered.append((module, called, file))
        return True

    def _compiler(self) -> Callable[[bytes, str], CodeType] | None:
        return self._rewrite if self._way else None

    def _rewrite(self, content: bytes, path: str) -> CodeType:
        """Return the code of a plugin as pytest makes that of an installed one: a failing ``assert`` shows its values.

        That takes longer than all else that is done for a plugin, so what came out is kept in the cache folder, as pytest keeps
        that of an installed one beside it.
        """
        # Where something has changed.
        from plugline.discovery.bundle import Bundle, entry_of
        from plugline.discovery.cache import cache_folder, write_whole
        from plugline.files import digest_of

        folder = cache_folder()
        if folder is None:
            return self._rewritten(content, path)
        settings = repr((self._way, sys.version, sys.implementation.cache_tag, sys.flags.optimize))
        key = digest_of(settings.encode())
        digest = digest_of(content, key)
        kept = Bundle(os.path.join(folder, f"pytest-{digest_of(os.fsencode(path), key).hex()}"))
        code = kept.find_code_for(path, digest, (0, kept.size()))
        if code is None:
            code = self._rewritten(content, path)
            entry = entry_of(digest, None, code, b"")
            if entry is not None:
                write_whole(kept.path, entry)
        return code

    def _rewritten(self, content: bytes, path: str) -> CodeType:
        import ast

        # pytest's own, but of this name and signature since pytest 5
        from _pytest.assertion.rewrite import rewrite_asserts

        tree = ast.parse(content, filename=path)
        rewrite_asserts(tree, content, path, self._config)
        return compile(tree, path, "exec", dont_inherit=True)

    def tell(self) -> list[str]:
        """Return what is wrong with plugins that are not used, and what is to be told of those that are."""
        self._is_told = True
        told = []
        for found in self.findings:
            what = "" if found.place.path in self.folders else "a plugin is left out: "
            told.append(f"warning: {what}{found}" if found.is_error else str(found))
        return told

    def close(self) -> None:
        """Let go of the plugins, and tell what nobody has been told: an option that is unknown may be that of a broken one."""
        if not self._is_told and not hasattr(self._config, "workerinput"):
            for told in self.tell():
                print(told, file=sys.stderr)  # noqa: T201 - pytest has ended, or shows something else than a run
        for folder in self.folders.values():
            folder.close()


def _is_of_tests(name: str) -> bool:
    """Whether a file of this name, without its ending, is what pytest finds tests in or configures them by."""
    return name == "conftest" or name.startswith("test_")


_folders = pytest.StashKey[_Folders]()


def _folders_of(config: pytest.Config) -> _Folders:
    folders = config.stash.get(_folders, None)
    if folders is None:
        folders = config.stash[_folders] = _Folders(config)
        config.add_cleanup(folders.close)  # where the run ends before it was configured, too
    return folders


def _take_asked_for(config: pytest.Config) -> None:
    folders = _asked_for.copy()
    _asked_for.clear()
    _folders_of(config).take(folders)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Tell pytest of our own option, and take the folder of the conftest.py by which we came."""
    group = parser.getgroup("plugline")
    group.addoption(
        "--plugins-dir",
        action="append",
        default=[],
        metavar="DIR",
        help="use the pytest plugins that are files in this folder; may be given several times",
    )
    parser.addini("plugins_dir", "folders whose files are pytest plugins, relative to this file", "paths", default=[])
    config = pluginmanager.get_plugin("pytestconfig")
    if isinstance(config, pytest.Config):
        _take_asked_for(config)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Take the folder of a conftest.py where we had come before it."""
    config = manager.get_plugin("pytestconfig")
    if _asked_for and isinstance(config, pytest.Config):
        _take_asked_for(config)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Take the folders of the command line and of the configuration: before all options are parsed."""
    given: Any = early_config.known_args_namespace.plugins_dir
    if "" in given:  # a variable of a shell's that is not set: all files where pytest is called would be plugins
        raise pytest.UsageError("--plugins-dir: the name of a folder is empty")
    folders = [os.path.join(early_config.invocation_params.dir, folder) for folder in given]
    modules = _folders_of(early_config).take([*folders, *(str(path) for path in early_config.getini("plugins_dir"))])
    if any(hasattr(module, "pytest_load_initial_conftests") for module in modules):
        # What has this hook as well came too late for the call that is going on, and its options for what was parsed.
        known = parser.parse_known_args(args, namespace=copy(early_config.option))
        known.confcutdir = early_config.known_args_namespace.confcutdir
        early_config.known_args_namespace = known
        manager = early_config.pluginmanager
        others = [plugin for plugin in manager.get_plugins() if plugin not in modules]
        call = manager.subset_hook_caller("pytest_load_initial_conftests", others)
        call(early_config=early_config, parser=parser, args=args)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Leave out what pytest would end the run for, before the top of it is told."""
    _folders_of(session.config).refuse_unknown_hooks()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is used, and what is wrong with what is not."""
    folders = _folders_of(config)
    if not folders.folders:
        return []
    from plugline.files import relative_path

    lines = [
        f"plugline: {', '.join(folders.used) or 'no plugins'} from {', '.join(map(relative_path, folders.folders))}"
    ]
    return [*lines, *folders.tell()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say the same at the end where ``-q`` has left out the top."""
    if config.get_verbosity() < 0:
        for told in _folders_of(config).tell():
            terminalreporter.write_line(told)
