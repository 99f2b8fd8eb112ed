"""What has run of a folder of packages to what is remembered of it."""

import marshal
import os
import sys

from plugline.discovery.cache import check_of, remove, write_whole
from plugline.discovery.candidates import FileCandidate
from plugline.discovery.recall import UNSETTLED, Status, settled
from plugline.files import digest_of
from plugline.host import Host, Plugin
from plugline.integrations.remembered import (
    MAGIC,
    Record,
    Row,
    folder_at,
    is_alone,
    is_plain_module,
    path_of_record,
)
from plugline.integrations.top_level import RememberedLoader, TopLevel
from plugline.loading.effects import could_patch
from plugline.loading.namespace import PrivateLoader, RootLoader
from plugline.typed import ModuleType


def remember(packages: TopLevel) -> None:
    """Write down what has run, for the next process; where there is anything to tell, see that nothing is remembered."""
    path, host = path_of_record(packages.folder, packages.making), packages.host
    if path is None or host is None:
        return
    record = _record_of(packages, host)
    if record is None:
        remove(path)
        return
    body = marshal.dumps((packages.folder, record))
    write_whole(path, b"".join((MAGIC, check_of(body), body)))


def _record_of(packages: TopLevel, host: Host[object]) -> Record | None:
    """Return what is to be remembered; ``None`` where the next process may see something else, or has something to tell."""
    plugins = list(host)
    set_aside = packages.findings or host.disabled or host.declined
    if set_aside or not is_alone(packages.folder) or not all(map(_is_plain, plugins)):
        return None
    names = {str(plugin.spec.module): str(plugin.name) for plugin in plugins}  # plain texts, as marshal wants them
    rows = dict(packages.recalled.rows) if packages.recalled is not None else {}
    rows.update((str(plugin.spec.module), _row_of_left_out(plugin)) for plugin in plugins if _is_left_out(plugin))
    for name, module in list(sys.modules.items()):
        row = _row_of(name, module, packages.folder) if name.partition(".")[0] in names else None
        if row is not None:
            rows[name] = row
    folders = _folders_of(packages, rows)
    return (folders, names, rows) if folders is not None and names.keys() <= rows.keys() else None


def _is_plain(plugin: Plugin[object]) -> bool:
    """Whether a plugin has run, or was left out, and a host would do nothing with it but run it."""
    module = sys.modules.get(plugin.spec.module)
    has_run = plugin.generation > 0 or isinstance(_loader_of(module), RememberedLoader)
    return (
        (_is_left_out(plugin) or (has_run and is_plain_module(module)))
        and isinstance(plugin.candidate, FileCandidate)
        and not plugin.spec.dependencies
        and plugin.spec.requires_python is None
    )


def _is_left_out(plugin: Plugin[object]) -> bool:
    return plugin.state == "found" and plugin.spec.module not in sys.modules


def _row_of_left_out(plugin: Plugin[object]) -> Row:
    relative = plugin.candidate.entry if isinstance(plugin.candidate, FileCandidate) else ""
    return relative, "/" in relative, bytes.fromhex(plugin.spec.digest), b"", False


def _loader_of(module: object) -> object:
    # By its type: as above.
    return getattr(module.__spec__, "loader", None) if type(module) is ModuleType else None


def _row_of(name: str, module: object, folder: str) -> Row | None:
    loader = _loader_of(module)
    if isinstance(loader, RememberedLoader):
        return loader.row
    if isinstance(loader, RootLoader):
        relative = name.replace(".", "/")
        return (relative, True, b"", b"", False) if os.path.isdir(f"{folder}/{relative}") else None
    if not isinstance(loader, PrivateLoader) or loader.trace is None:
        return None
    code = loader.trace.code
    try:
        marshalled = marshal.dumps(code)
    except ValueError:
        return None  # marshal goes half as deep as the compiler
    return loader.relative, loader.is_package(name), digest_of(loader.trace.content), marshalled, could_patch(code)


def _folders_of(packages: TopLevel, rows: dict[str, Row]) -> dict[str, Status] | None:
    """Return the status of each folder that a module is in, and of those above; ``None`` where one may have changed."""
    wanted = {""}
    for relative, _, digest, *_ in rows.values():
        folder = os.path.dirname(relative) if digest else relative
        while folder:
            wanted.add(folder)
            folder = os.path.dirname(folder)
    statuses = {}
    for folder in wanted:
        found = folder_at(f"{packages.folder}/{folder}" if folder else packages.folder)
        status = settled(found[0], packages.began) if found is not None else UNSETTLED
        if status == UNSETTLED:
            return None
        statuses[folder] = status
    return statuses
