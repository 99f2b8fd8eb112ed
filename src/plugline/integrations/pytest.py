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
from collections.abc import Iterable
from types import CodeType, ModuleType
from typing import Any

import pytest

from plugline.discovery.bundle import Bundle, entry_of
from plugline.discovery.cache import cache_folder, write_whole
from plugline.errors import PluglineError
from plugline.files import digest_of
from plugline.findings import Finding, Place
from plugline.host import Host

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
        hosts: By the folder's path.
        used: Names of plugins that are registered.
        findings: What is wrong with those that are left out.
    """

    def __init__(self, config: pytest.Config) -> None:
        self.hosts: dict[str, Host[object]] = {}
        self.used: list[str] = []
        self.findings: list[Finding] = []
        self._config = config

    def take(self, folders: Iterable[str]) -> list[ModuleType]:
        """Register the plugins of folders that are new, and return their modules."""
        return [module for folder in folders for module in self._take(os.path.abspath(folder))]

    def _take(self, folder: str) -> list[ModuleType]:
        if folder in self.hosts:
            return []
        host = self.hosts[folder] = Host(folder, namespace="", compiler=self._compiled)
        modules = []
        with host._loading_many():  # noqa: SLF001 - it need not load all
            for plugin in list(host):
                if any(self._config.pluginmanager.is_blocked(name) for name in _names(plugin.name)):
                    continue
                try:
                    module = plugin.load()
                except PluglineError:
                    continue  # the host keeps why
                if isinstance(module, ModuleType) and self._register(module, plugin.name, plugin.place):
                    modules.append(module)
        self.findings += [*host.findings, *(finding for one in host.rejected for finding in one.findings)]
        return modules

    def _register(self, module: ModuleType, name: str, place: Place) -> bool:
        manager = self._config.pluginmanager
        try:
            manager.register(module, name)
        except Exception as error:  # noqa: BLE001 - a hook that pytest does not know, an option that is there already
            from plugline.blame import describe_error  # noqa: PLC0415 - few are

            text = describe_error(error, place.path)
            # What pluggy says has several lines.
            message = f"is refused by pytest: {text.kind.rpartition('.')[2]}: {' '.join(text.message.split())}"
            self.findings.append(Finding("P401", message, place))
            if manager.is_registered(module):
                manager.unregister(module)
            return False
        self.used.append(name)
        return True

    def _compiled(self, content: bytes, path: str) -> CodeType:
        """Compile a plugin as pytest compiles an installed one: a failing ``assert`` shows its values.

        Rewriting takes longer than all else that is done for a plugin, so what came out is kept in the cache folder, as pytest
        keeps that of an installed one beside it.
        """
        if self._config.known_args_namespace.assertmode != "rewrite":
            return compile(content, path, "exec", dont_inherit=True)
        # What else the code depends on.
        hooked = self._config.getini("enable_assertion_pass_hook")
        settings = repr((pytest.__version__, sys.version, sys.implementation.cache_tag, sys.flags.optimize, hooked))
        key = digest_of(settings.encode())
        folder = cache_folder()
        if folder is None:
            return self._rewritten(content, path)
        digest = digest_of(content, key)
        kept = Bundle(os.path.join(folder, f"pytest-{digest_of(os.fsencode(path), key).hex()}"))
        code = kept.find_code_for(path, digest, (0, kept.size()))
        if code is None:
            code = self._rewritten(content, path)
            entry = entry_of(digest, (), code, b"")
            if entry is not None:
                write_whole(kept.path, entry)
        return code

    def _rewritten(self, content: bytes, path: str) -> CodeType:
        # Of pytest's own, but of this name and signature since pytest 5.
        import ast  # noqa: PLC0415 - only where something is rewritten

        from _pytest.assertion.rewrite import rewrite_asserts  # noqa: PLC0415 - likewise

        tree = ast.parse(content, filename=path)
        rewrite_asserts(tree, content, path, self._config)
        return compile(tree, path, "exec", dont_inherit=True)

    def close(self) -> None:
        for host in self.hosts.values():
            host.close()


def _names(name: str) -> tuple[str, str]:
    """Return what people call a plugin: its file's name, and that without the prefix, which an installed one has not."""
    return name, name.removeprefix("pytest_").removeprefix("pytest-")


_folders = pytest.StashKey[_Folders]()


def _folders_of(config: pytest.Config) -> _Folders:
    return config.stash.setdefault(_folders, _Folders(config))


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
    folders = [os.path.join(early_config.invocation_params.dir, folder) for folder in given]
    modules = _folders_of(early_config).take([*folders, *(str(path) for path in early_config.getini("plugins_dir"))])
    # What has this hook as well came too late for the call that is going on.
    manager = early_config.pluginmanager
    others = [plugin for plugin in manager.get_plugins() if plugin not in modules]
    if any(hasattr(module, "pytest_load_initial_conftests") for module in modules):
        call = manager.subset_hook_caller("pytest_load_initial_conftests", others)
        call(early_config=early_config, parser=parser, args=args)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is used, and what is wrong with what is not."""
    folders = _folders_of(config)
    if not folders.hosts:
        return []
    lines = [
        f"plugline: {', '.join(folders.used) or 'no plugins'} from {', '.join(map(os.path.relpath, folders.hosts))}"
    ]
    return [*lines, *_told(folders)]


def _told(folders: _Folders) -> list[str]:
    """Return what is wrong with plugins that are not used, and what is to be told of those that are."""
    warnings = [finding for host in folders.hosts.values() for plugin in host for finding in plugin.warnings]
    return [*(f"warning: a plugin is left out: {finding}" for finding in folders.findings), *map(str, warnings)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say the same at the end where ``-q`` has left out the top."""
    if config.get_verbosity() < 0:
        for told in _told(_folders_of(config)):
            terminalreporter.write_line(told)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Let go of the plugins."""
    _folders_of(config).close()
