"""Code that is known to a private module that has run, without asking the import system where it is.

Does what ``importlib`` does for a module that it has found, in a quarter of the time: its lock is taken, so a thread that
imports the same module meanwhile waits, and the module may put something else in its own place.
"""

import sys
from _frozen_importlib import ModuleSpec, _module_locks, _ModuleLockManager  # type: ignore[attr-defined]

from plugline.loading.namespace import InertLoader, PrivateLoader
from plugline.loading.traces import Trace, run_inert, run_traced
from plugline.typed import CodeType, Mapping, ModuleType, Sequence


def make_module(loader: PrivateLoader, trace: Trace, injected: Mapping[str, object]) -> ModuleType:
    """Run a module that has no package of its own and is not loaded yet; whatever it raises passes.

    Args:
        trace: Its full name, of which what is before the last dot is loaded; its file and its code. Takes what running does.
        injected: Names that it has before it runs.
    """
    name, path = trace.name, trace.path
    parent, _, part = name.rpartition(".")
    with _ModuleLockManager(name):
        already = sys.modules.get(name)
        if already is not None:
            return already  # another thread has imported it since somebody looked
        module, spec = _new_module(loader, name, path, parent)
        attributes = module.__dict__
        attributes.update(injected)
        sys.modules[name] = module
        try:
            run_traced(trace, attributes)
            loader.trace = trace
            module = sys.modules.pop(name)
            sys.modules[name] = module
        except BaseException:
            sys.modules.pop(name, None)
            raise
        finally:
            spec._initializing = False  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    above = sys.modules.get(parent)
    if above is not None:
        setattr(above, part, module)
    return module


class _FileSpec(ModuleSpec):
    """The import specification of a module that is one file: what is the same for all of these is said once, for memory's sake."""

    loader_state = None
    submodule_search_locations = None
    _set_fileattr = True
    _cached = None
    _initializing = True  # who imports it meanwhile waits
    _uninitialized_submodules: Sequence[str] = ()

    def __init__(self, name: str, loader: PrivateLoader, origin: str) -> None:
        self.name, self.loader, self.origin = name, loader, origin  # type: ignore[assignment]  # the import system asks the loader for nothing


def _new_module(loader: PrivateLoader, name: str, path: str, parent: str) -> tuple[ModuleType, ModuleSpec]:
    spec = _FileSpec(name, loader, path)
    module = ModuleType(name)
    attributes = module.__dict__
    attributes["__file__"] = path
    attributes["__loader__"] = loader
    attributes["__package__"] = parent
    attributes["__spec__"] = spec
    return module, spec


def define_module(
    loader: InertLoader, path: str, code: CodeType, functions: tuple[CodeType, ...], began: float
) -> ModuleType | None:
    """Run an inert module, as :func:`make_module` does any; ``None`` where it raises, or is there already.

    Args:
        functions: Those in the code.
        began: When that, or the batch that it is one of, began: in seconds since 1970.
    """
    name = loader.name
    parent, _, part = name.rpartition(".")
    if name in sys.modules:
        return None
    module, spec = _new_module(loader, name, path, parent)
    try:
        run_inert(path, code, module.__dict__)
    except Exception:  # noqa: BLE001 - it is told by who runs it with everything around
        return None
    spec._initializing = False  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    # Nothing that an inert module does asks for itself. So it is run first, nobody ever meets it half done, and the lock,
    # which costs as much as a third of running it, is taken only where somebody else has it.
    if sys.modules.setdefault(name, module) is not module:
        return None
    if name in _module_locks:
        with _ModuleLockManager(name):
            if sys.modules.get(name) is not module:
                return None
    loader.began, loader.functions = began, functions
    if parent:
        setattr(sys.modules[parent], part, module)
    return module
