"""Load all plugins of a real program, by plugline or by the program's own loader, and print as JSON what was loaded.

``python loaders.py ours yt-dlp``, ``python loaders.py theirs yt-dlp``. Each runs in a process of its own, so that neither
finds what the other has imported.
"""

import importlib.util
import inspect
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from plugline import Host

Found = dict[str, object]


# ---- yt-dlp: one to many classes a module, which import each other relatively


def ours_of_yt_dlp() -> Found:
    base = import_module("yt_dlp.extractor.common").InfoExtractor
    return classes_by_plugline(base, "yt_dlp.extractor")


def theirs_of_yt_dlp() -> Found:
    """Return the classes that yt-dlp lists, and all that are in its modules: it lists no classes that others share."""
    listed = import_module("yt_dlp.extractor").gen_extractor_classes()
    base = import_module("yt_dlp.extractor.common").InfoExtractor
    found: dict[str, list[str]] = {}
    for module in imported("yt_dlp.extractor"):
        if isinstance(module, ModuleType):
            found[module.__name__] = sorted(one.__name__ for one in own_classes(module, base))
    return {
        "listed": sorted(one.__name__ for one in listed),
        "classes": {name: classes for name, classes in found.items() if classes},
        "without": sorted(name.rpartition(".")[2] for name, classes in found.items() if not classes),
    }


# ---- beets: modules that are named like the standard library's, and lack what is not installed


def ours_of_beets() -> Found:
    return classes_by_plugline(import_module("beets.plugins").BeetsPlugin, "beetsplug")


def theirs_of_beets() -> Found:
    """Return the classes of each plugin, the one that beets takes, and what each that cannot be imported raises.

    beets takes the class that comes last. Its own function for that makes an instance, for which some plugins log in
    somewhere, so it is not called.
    """
    base = import_module("beets.plugins").BeetsPlugin
    failed: dict[str, list[str]] = {}
    classes: dict[str, list[str]] = {}
    taken: dict[str, str] = {}
    for module in imported("beetsplug"):
        if isinstance(module, ModuleType):
            found = [one.__name__ for one in own_classes(module, base)]
            taken[module.__name__.rpartition(".")[2]] = found[-1]
            classes[module.__name__] = sorted(found)
        else:
            name, error = module
            failed[name] = [type(error).__name__, getattr(error, "name", None) or str(error)]
    return {"taken": taken, "classes": classes, "failed": failed}


# ---- Sopel: modules with decorated functions, which are looked up in sys.modules


def ours_of_sopel() -> Found:
    folder = import_module("sopel.builtins").__path__[0]
    before = dict(sys.modules)
    found: Found = {}
    for package in ("sopel.builtins", None):
        with Host(folder, package=package) as host:
            loaded = {plugin.name: sopel_callables(plugin.load()) for plugin in host.load_all()}
            found["in its package" if package else "by itself"] = loaded
            found["rejected"] = [str(one) for one in host.rejected]
        found["replaced"] = replaced(before)
    return found


def theirs_of_sopel() -> Found:
    plugins = list(import_module("sopel.plugins").find_internal_plugins())
    for plugin in plugins:
        plugin.load()
    return {"loaded": {plugin.name: sopel_callables(plugin.module) for plugin in plugins}}


def sopel_callables(module: object) -> list[str]:
    """Return the names of what Sopel registers of a module; what is defined there is found in ``sys.modules``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bot.cfg")
        path.write_text("[core]\nowner=me\nhost=localhost\nnick=bot\n", encoding="utf-8")
        config = import_module("sopel.config").Config(str(path), validate=False)
        parts = import_module("sopel.loader").clean_module(module, config)
    assert isinstance(module, ModuleType)
    for part in parts:
        for one in part:
            home = sys.modules[one.__module__]
            assert home is module or one.__module__ != module.__name__, one
            assert vars(home)[one.__name__] is one or home is not module, one
    return sorted(one.__name__ for part in parts for one in part)


# ---- gallery-dl: a dozen classes a module, and modules with names that no import statement takes


def ours_of_gallery_dl() -> Found:
    return classes_by_plugline(import_module("gallery_dl.extractor.common").Extractor, "gallery_dl.extractor")


def theirs_of_gallery_dl() -> Found:
    """Return the classes that gallery-dl lists by itself, and all that are in its modules."""
    base = import_module("gallery_dl.extractor.common").Extractor
    modules = [one for one in imported("gallery_dl.extractor") if isinstance(one, ModuleType)]
    found = {one.__name__: sorted(own.__name__ for own in own_classes(one, base)) for one in modules}
    listed = list(import_module("gallery_dl.extractor").extractors())
    return {
        "listed": sorted({f"{one.__module__} {one.__name__}" for one in listed}),
        "classes": {name: classes for name, classes in found.items() if classes},
    }


# ---- Limnoria: packages, whose program replaces a builtin, and what logs messages


def ours_of_limnoria() -> Found:
    before = dict(sys.modules)
    with Host(package_folder("supybot.plugins"), package="supybot.plugins") as host:
        loaded = {plugin.name: described(plugin.load()) for plugin in host.load_all()}
        warned = sorted(plugin.name for plugin in host if plugin.warnings)
        failed = {one.name: one.findings[0].code for one in host.rejected}
    return {"loaded": loaded, "failed": failed, "warned": warned, "replaced": replaced(before)}


def theirs_of_limnoria() -> Found:
    loaded, failed = {}, []
    for one in imported("supybot.plugins"):
        if isinstance(one, ModuleType):
            loaded[one.__name__.rpartition(".")[2]] = described(one)
        else:
            failed.append(one[0])
    return {"loaded": loaded, "failed": failed}


def described(module: object) -> list[str | None]:
    """Return what Limnoria takes of a plugin's module, and where its class is from."""
    taken = getattr(module, "Class", None)
    return [getattr(taken, "__name__", None), getattr(taken, "__module__", None)]


def package_folder(package: str) -> str:
    """Return where a package is, without importing it: a host that has nothing else of it does not."""
    spec = importlib.util.find_spec(package.partition(".")[0])
    assert spec is not None
    assert spec.submodule_search_locations
    return str(Path(spec.submodule_search_locations[0], *package.split(".")[1:]))


# ---- what they share


def classes_by_plugline(base: type, package: str) -> Found:
    before = dict(sys.modules)
    found: dict[str, list[str]] = {}
    names = {}
    with Host(import_module(package).__path__[0], interface=base, package=package) as host:
        for plugin in host.load_all(instances=False):
            one = plugin.load_type()
            assert issubclass(one, base), one
            assert plugin.path is not None
            # A class of a package may come from a module in it.
            found.setdefault(module_of(package, plugin.path), []).append(one.__name__)
            names[plugin.name] = one.__name__
        rejected = [[one.name, one.findings[0].code, one.findings[0].message] for one in host.rejected]
        inside = replaced(before)
    return {
        "classes": {name: sorted(classes) for name, classes in found.items()},
        "names": names,
        "rejected": rejected,
        "replaced": sorted({*inside, *replaced(before)}),
    }


def module_of(package: str, path: str) -> str:
    file = Path(path)
    return f"{package}.{file.parent.name if file.name == '__init__.py' else file.stem}"


def replaced(before: dict[str, ModuleType]) -> list[str]:
    """Return the modules that are not what they were."""
    return sorted(name for name, module in before.items() if sys.modules.get(name) is not module)


def imported(package: str) -> Iterator[ModuleType | tuple[str, BaseException]]:
    """Import all modules of a package in the ordinary way."""
    for module in iter_modules(import_module(package).__path__):
        if not module.name.startswith("_"):
            try:
                yield import_module(f"{package}.{module.name}")
            except Exception as error:  # noqa: BLE001 - what it raises is the result
                yield module.name, error


def own_classes(module: ModuleType, base: type) -> list[type]:
    return [
        one
        for name, one in vars(module).items()
        if inspect.isclass(one)
        and issubclass(one, base)
        and one is not base
        and not inspect.isabstract(one)
        and f"{one.__module__}.".startswith(f"{module.__name__}.")
        and name == one.__name__
        and (not name.startswith("_") or name[1:2].isdigit())
    ]


LOADERS: dict[str, Callable[[], Found]] = {
    "ours yt-dlp": ours_of_yt_dlp,
    "theirs yt-dlp": theirs_of_yt_dlp,
    "ours beets": ours_of_beets,
    "theirs beets": theirs_of_beets,
    "ours sopel": ours_of_sopel,
    "theirs sopel": theirs_of_sopel,
    "ours gallery-dl": ours_of_gallery_dl,
    "theirs gallery-dl": theirs_of_gallery_dl,
    "ours limnoria": ours_of_limnoria,
    "theirs limnoria": theirs_of_limnoria,
}

if __name__ == "__main__":
    os.environ["YTDLP_NO_LAZY_EXTRACTORS"] = "1"  # else it gives stand-ins, which are no InfoExtractor
    answer = json.dumps(LOADERS[" ".join(sys.argv[1:])]())
    sys.stdout.write(f"\n{answer}\n")
