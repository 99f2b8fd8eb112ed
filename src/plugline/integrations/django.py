"""Django apps as folders: dropped beside a site, and installed at its next start.

In the settings, and in the URL configuration::

    INSTALLED_APPS += plugline.integrations.django.apps(BASE_DIR / "plugins")

    urlpatterns += plugline.integrations.django.urlpatterns()

An app is what Django takes for one: a folder with an ``__init__.py``, or a file. It stands at the top level of imports, under
its own name, and may be one that was made to be installed. One that is broken, or whose name or label is somebody else's, becomes a
warning of ``manage.py check``, and the site runs without it.

Not promised: mending what Django's own checks call an error of a model that can be imported. An app whose models cannot
be imported stays installed, without models; what runs in its ``ready()`` before it raises has run.
"""

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from django.apps import AppConfig
from django.apps import apps as registry
from django.conf import settings
from django.core import checks
from django.urls import URLPattern, URLResolver, get_resolver, include, path

from plugline.findings import Finding, Place
from plugline.integrations.top_level import TopLevel
from plugline.lookup import find_module

_NAME = "plugline.integrations.django"


class _Site:
    """The apps of all folders.

    Attributes:
        folders: By path; kept for as long as the process runs.
        files: The apps that are installed, each with its file, by the name under which Django imports them.
        broken: Names of installed apps whose models failed after Django had taken them in.
    """

    def __init__(self) -> None:
        self.folders: dict[str, TopLevel] = {}
        self.files: dict[str, str] = {}
        self.broken: set[str] = set()
        self._findings: list[Finding] = []

    @property
    def findings(self) -> list[Finding]:
        """What is wrong with apps that are not installed, or only in part."""
        return [*self._findings, *(finding for folder in self.folders.values() for finding in folder.findings)]

    def add(self, folder: str, labels: set[str]) -> list[str]:
        packages = self.folders[folder] = TopLevel(folder)
        added = []
        for _, name, file in packages.run():
            made: list[AppConfig] = []
            if not self._try(file, name, "as it was made an app", lambda: made.append(AppConfig.create(name))):  # noqa: B023 - called at once
                continue
            if made[0].label in labels:
                message = f"has the label {made[0].label!r}, as has another app of INSTALLED_APPS"
                self._findings.append(Finding("P402", message, Place(file), hint="give its AppConfig another label"))
                continue
            labels.add(made[0].label)
            self.files[name] = file
            added.append(name)
        return added

    def attempt(self, name: str, when: str, action: Callable[[], object]) -> bool:
        """Do something that runs an app's code, and tell whether it could be done."""
        return self._try(self.files[name], name, when, action)

    def import_or_replace(self, name: str, module: str, when: str) -> bool:
        """Import a module of an app, which Django is about to do for all apps at once; an empty one stands for one that fails."""
        if self._try(self.files[name], name, when, lambda: import_module(module)):
            return True
        sys.modules[module] = module_from_spec(ModuleSpec(module, None))
        return False

    def _try(self, file: str, name: str, when: str, action: Callable[[], object]) -> bool:
        try:
            action()
        except BaseException as error:
            from plugline.blame import users_own_interrupt  # few apps fail

            if users_own_interrupt(error):
                raise
            self._findings += _findings_of(error, file, name, when)
            return False
        return True


def _findings_of(error: BaseException, file: str, name: str, when: str) -> Sequence[Finding]:
    from plugline.blame import describe_error, traceback_of  # few apps fail
    from plugline.errors import PluginRejected

    if isinstance(error, PluginRejected):
        return error.findings  # a module of it may not be run
    folder = os.path.join(os.path.dirname(file), "")
    is_package = os.path.basename(file) == "__init__.py"
    # The deepest line of the app's own, even where it called Django with what that does not take.
    deepest, entry = file, traceback_of(error)
    while entry is not None:
        path = entry.tb_frame.f_code.co_filename
        deepest = path if is_package and path.startswith(folder) else deepest
        entry = entry.tb_next
    text = describe_error(error, deepest)
    place = Place(file) if text.path != deepest else Place(deepest, text.line)
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and error.filename.startswith(folder):
        place = Place(error.filename, error.lineno)
    return [Finding("P402", f"app {name!r} raised {text.said} {when}", place)]


_site = _Site()


def apps(folder: str | os.PathLike[str]) -> list[str]:
    """Return what settings add to ``INSTALLED_APPS``: the apps of a folder that can be installed, and our own.

    Runs each app's ``__init__.py`` and ``apps.py``, as Django is about to do. What the calling file has in
    ``INSTALLED_APPS`` so far keeps its labels.
    """
    listed = sys._getframe(1).f_globals.get("INSTALLED_APPS", ())  # noqa: SLF001 - the settings that are being made
    path_of_folder = os.path.abspath(folder)
    if path_of_folder in _site.folders:
        return []
    first = not _site.folders
    names = _site.add(path_of_folder, {_label_of(str(entry)) for entry in listed})
    # Ours comes first, so that it can stand by the others when their turn comes.
    return [f"{_NAME}.DroppedApps", *names] if first else names


def _label_of(entry: str) -> str:
    """Return the label that an entry of INSTALLED_APPS has, unless its AppConfig says otherwise."""
    parts = entry.split(".")
    if parts[-1][:1].isupper():
        parts = parts[:-1]  # a class,
        parts = parts[:-1] if parts[-1] == "apps" else parts  # in the module where it usually is
    return parts[-1]


class DroppedApps(AppConfig):
    """Stands by the dropped apps while Django loads them."""

    name = _NAME
    label = "plugline"
    verbose_name = "Dropped apps"

    def import_models(self) -> None:
        """Import the models of all dropped apps, so that one that fails is known before Django gets to it."""
        super().import_models()
        _stand_by_admin()
        for name in _site.files:
            config = _config_of(name)
            if config is not None and not _site.attempt(name, "while its models were imported", config.import_models):
                _site.broken.add(name)
                _empty(config)

    def ready(self) -> None:
        """Let every app get ready; one that raises is told, and the others go on."""
        checks.register(_check)
        for name in _site.files:
            config = _config_of(name)
            if config is None or name in _site.broken:
                continue
            get_ready = config.ready

            def ready_or_told(name: str = name, get_ready: Callable[[], None] = get_ready) -> None:
                _site.attempt(name, "in its ready()", get_ready)

            config.ready = ready_or_told  # type: ignore[method-assign]
        _import_template_tags()


def _stand_by_admin() -> None:
    """See to it that what dropped apps have for Django's admin is known to fail before the admin gets to it."""
    config = _config_of("django.contrib.admin")
    if config is None:
        return
    from django.contrib.admin.apps import AdminConfig  # where there is one

    if not isinstance(config, AdminConfig):
        return  # the site calls for them by itself
    get_ready = config.ready

    def ready_with_ours() -> None:
        from django.contrib.admin import site

        for config in registry.get_app_configs():  # in their order: one may replace what another registered
            module = f"{config.name}.admin"
            if config.name in _site.broken or find_module(module) is None:
                continue
            if config.name not in _site.files:
                import_module(module)
                continue
            before = dict(site._registry)  # noqa: SLF001 - as autodiscover_modules() does
            if not _site.import_or_replace(config.name, module, "while its admin was imported"):
                site._registry.clear()  # noqa: SLF001 - likewise
                site._registry.update(before)  # noqa: SLF001 - likewise
        get_ready()

    config.ready = ready_with_ours  # type: ignore[method-assign]


def _import_template_tags() -> None:
    """Import libraries of template tags: Django imports those of all apps once it makes the first template."""
    for name in _site.files:
        package = f"{name}.templatetags"
        if name in _site.broken or not _has(name, "templatetags"):
            continue
        if _site.import_or_replace(name, package, "while its template tags were imported"):
            for found in iter_modules(getattr(sys.modules[package], "__path__", ())):
                _site.import_or_replace(name, f"{package}.{found.name}", "while its template tags were imported")


def _config_of(name: str) -> AppConfig | None:
    return next((config for config in registry.app_configs.values() if config.name == name), None)


def _empty(config: AppConfig) -> None:
    """Leave an app without models: as if it had no models.py."""
    models: dict[str, Any] = registry.all_models[config.label]
    models.clear()
    config.models = models
    config.models_module = None
    config.import_models = lambda: None  # type: ignore[method-assign]
    config.ready = lambda: None  # type: ignore[method-assign]
    _without_migrations(config)


def _without_migrations(config: AppConfig) -> None:
    settings.MIGRATION_MODULES = {**settings.MIGRATION_MODULES, config.label: None}


def urlpatterns() -> list[URLPattern | URLResolver]:
    """Return the URL patterns of the installed apps that have a module ``urls``, each below its label.

    One whose ``urls`` cannot be imported is told by ``manage.py check`` and left out.
    """
    patterns: list[URLPattern | URLResolver] = []
    for name in _site.files:
        config = _config_of(name)
        if config is None or name in _site.broken or not _has(name, "urls"):
            continue

        def add(name: str = name, config: AppConfig = config) -> None:
            made = path(f"{config.label}/", include(f"{name}.urls"))
            listed: list[object] = list(made.url_patterns)
            for pattern in listed:
                if not isinstance(pattern, URLPattern | URLResolver):
                    raise TypeError(f"urlpatterns has {pattern!r}, which path() did not make")
            patterns.append(made)

        _site.attempt(name, "while its urls were imported", add)
    return patterns


def _has(name: str, module: str) -> bool:
    return name in sys.modules and find_module(f"{name}.{module}") is not None


def _check(app_configs: Sequence[AppConfig] | None, **keywords: object) -> list[checks.CheckMessage]:
    """Say what is wrong with dropped apps. Looks at their URLs and migrations too, before Django does."""
    if getattr(settings, "ROOT_URLCONF", None):
        # Checks are run in no order; what is wrong with the site's own URLs is told by Django's.
        with suppress(Exception):
            _ = get_resolver().url_patterns
    for name in _site.files:
        config = _config_of(name)
        if config is not None and name not in _site.broken and not _has_good_migrations(name):
            _without_migrations(config)
    return [_warning(finding) for finding in dict.fromkeys(_site.findings)]


def _has_good_migrations(name: str) -> bool:
    if not _has(name, "migrations"):
        return True

    def import_all() -> None:
        package = import_module(f"{name}.migrations")
        for found in iter_modules(getattr(package, "__path__", ())):
            module = import_module(f"{name}.migrations.{found.name}")
            if not found.ispkg and found.name[0] not in "_~":
                _check_migration(module)

    return _site.attempt(name, "while its migrations were imported", import_all)


def _check_migration(module: ModuleType) -> None:
    """Raise for what would end ``migrate`` for the whole site.

    Raises:
        AttributeError: There is no migration in it.
        LookupError: It needs one that there is not.
    """
    migration = getattr(module, "Migration", None)
    if migration is None:
        raise AttributeError(f"{module.__name__} has no class Migration")
    for label, wanted in (*migration.dependencies, *migration.run_before):
        config = registry.app_configs.get(label)
        if config is None:
            raise LookupError(f"{module.__name__} needs the app {label!r}, which is not installed")
        package = settings.MIGRATION_MODULES.get(label, f"{config.name}.migrations")
        if package and wanted not in ("__first__", "__latest__") and not _is_migration(label, wanted, package):
            message = f"{module.__name__} needs the migration {wanted!r} of the app {label!r}, which there is not"
            raise LookupError(message)


def _is_migration(label: str, wanted: str, package: str) -> bool:
    if find_module(f"{package}.{wanted}") is not None:
        return True
    modules = [import_module(f"{package}.{found.name}") for found in iter_modules(import_module(package).__path__)]
    return any((label, wanted) in getattr(getattr(module, "Migration", None), "replaces", ()) for module in modules)


def _warning(finding: Finding) -> checks.CheckMessage:
    return checks.Warning(f"{finding.place}: {finding.message}", hint=finding.advice, id=f"plugline.{finding.code}")
