"""Plugins for Python programs: found, inspected, checked, loaded, isolated and reloaded.

The names below are imported on first use, so ``import plugline`` itself costs next to nothing.
"""

import sys as _sys  # which every interpreter has at hand

if _sys.implementation.name != "cpython":
    # Its code objects, its counts of references and its frames: elsewhere plugins would be rejected for what they have.
    _message = f"plugline runs on CPython alone, this is {_sys.implementation.name}; start the program with a CPython from 3.11 on"
    raise ImportError(_message, name=__name__)
del _sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from plugline.admission.policy import Policy
    from plugline.discovery.archives import Zip
    from plugline.discovery.finders import EntryPoints, File, Modules, Package
    from plugline.discovery.folder import Folder
    from plugline.discovery.spec import PluginSpec
    from plugline.errors import (
        LoadError,
        PluginDeclined,
        PluginRejected,
        PluglineError,
        StepFailed,
        UnknownPlugin,
    )
    from plugline.findings import Finding
    from plugline.host import Host, Plugin, load_path
    from plugline.host import Rejected as Rejected
    from plugline.imports import first_installed, import_object, is_installed, reload_module, require
    from plugline.loading.keeping import keep as keep
    from plugline.worker.limits import Sandbox

_HOMES = {
    "EntryPoints": "discovery.finders",
    "File": "discovery.finders",
    "Finding": "findings",
    "Folder": "discovery.folder",
    "Host": "host",
    "LoadError": "errors",
    "Modules": "discovery.finders",
    "Package": "discovery.finders",
    "Plugin": "host",
    "PluginDeclined": "errors",
    "PluginRejected": "errors",
    "PluginSpec": "discovery.spec",
    "PluglineError": "errors",
    "Policy": "admission.policy",
    "Rejected": "host",  # what Host.rejected holds; rarely named, so not among the public names, but to be had
    "Sandbox": "worker.limits",
    "StepFailed": "errors",
    "UnknownPlugin": "errors",
    "Zip": "discovery.archives",
    "first_installed": "imports",
    "import_object": "imports",
    "is_installed": "imports",
    "keep": "loading.keeping",
    "load_path": "host",
    "reload_module": "imports",
    "require": "imports",
}

__version__ = "0.1.0"
# Of the contract with plugins for the tool and with hosts' authors; docs/reference/stability.md tells when it grows.
API_VERSION = "1.0"
__all__ = [
    "EntryPoints",
    "File",
    "Finding",
    "Folder",
    "Host",
    "LoadError",
    "Modules",
    "Package",
    "Plugin",
    "PluginDeclined",
    "PluginRejected",
    "PluginSpec",
    "PluglineError",
    "Policy",
    "Sandbox",
    "StepFailed",
    "UnknownPlugin",
    "Zip",
    "first_installed",
    "import_object",
    "is_installed",
    "load_path",
    "reload_module",
    "require",
]


def __getattr__(name: str) -> object:
    if name == "integrations":
        __import__(f"{__name__}.{name}")  # which puts it here
        return globals()[name]
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import gc  # the façade imports nothing

    # Nothing that an import makes is garbage, and looking for some takes a sixth of its time; so does looking at all of it
    # afterwards. To freeze and to unfreeze puts it with what is old, without a look.
    collecting = gc.isenabled()
    gc.disable()
    try:
        # __import__ and not importlib.import_module: importlib is one import more.
        module = __import__(f"{__name__}.{home}", fromlist=[name])
        value = getattr(module, name)
    finally:
        if collecting:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
