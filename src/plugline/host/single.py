"""One plugin from its path, for programs that have no folder of them."""

import os

from plugline.discovery.finders import File
from plugline.discovery.unfit import several_fit
from plugline.errors import PluginDisabled, PluginRejected
from plugline.findings import Finding, Place
from plugline.host.host import Host
from plugline.typed import Callable, TypeVar, cast, overload

T = TypeVar("T")


@overload
def load_path(path: str | os.PathLike[str], *, interface: Callable[..., T], api_version: str | None = None) -> T: ...


@overload
def load_path(
    path: str | os.PathLike[str], *, interface: list[str] | None = None, api_version: str | None = None
) -> object: ...


def load_path(path: str | os.PathLike[str], *, interface: object = None, api_version: str | None = None) -> object:
    """Load one ``.py`` file or package folder, with the same checks as in a folder of plugins.

    It is registered as ``plugins.<stem>``, so a file called ``json.py`` shadows nobody, and can be used after the
    file is deleted. Loading the same path again gives a new module of its own.

    Args:
        path: The file.
        interface: See :class:`plugline.Host`.
        api_version: See :class:`plugline.Host`.

    Returns:
        The module, or an instance of the class in it that provides ``interface``.

    Raises:
        PluginRejected: It failed a check and was not run, or is disabled.
        LoadError: Its code raised, or lacks what the interface asks for. Nothing of it stays in ``sys.modules``.
        PluginDeclined: It said itself that it does not apply here.
    """
    host: Host[object] = Host(File(path), interface=cast(None, interface), api_version=api_version)
    plugins = list(host)
    if len(plugins) != 1:
        name = os.path.basename(os.fspath(path))
        disabled = tuple(finding for one in host.disabled.values() for finding in one.findings)
        findings = tuple(finding for one in host.rejected for finding in one.findings) or host.findings
        if plugins:
            findings = (several_fit([plugin.name.rpartition(":")[2] for plugin in plugins], plugins[0].place),)
        host.close()
        if disabled and not plugins:
            raise PluginDisabled(name, disabled)
        raise PluginRejected(name, findings or (Finding("P101", "there is no such file", Place(os.fspath(path))),))
    try:
        loaded = plugins[0].load()
    except BaseException:
        host.close()
        raise
    _kept.append(host)
    return loaded


# A host whose namespace goes with it would take the module out of sys.modules, where pickle and dataclasses look.
_kept: list[Host[object]] = []
