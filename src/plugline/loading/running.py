"""A private module's name to the module, run once; or to what it did instead."""

import sys
from importlib import import_module
from types import ModuleType

from plugline.blame import describe_error, users_own_interrupt
from plugline.errors import PluginRejected
from plugline.findings import Finding, Place
from plugline.loading.namespace import forget_modules
from plugline.loading.patches import run_keeping_builtins


def run_module(name: str, path: str, shown: str, *, private: bool) -> ModuleType | tuple[Finding, ...]:
    """Import a module, so that whatever it raises is its own failure and leaves nothing behind.

    Args:
        name: Its full name; a module that is loaded already is returned as it is.
        path: Its file, as in tracebacks.
        shown: Its file, as in messages.
        private: Whether it is one of ours, whose traces are removed when it fails.

    When it fails, its own modules leave ``sys.modules``, and what it put in the place of other modules, or
    removed, is as before. Modules from elsewhere that it imported stay. ``SystemExit`` and any other
    ``BaseException`` is its failure too; only the user's own Ctrl-C passes.
    """
    loaded = sys.modules.get(name)
    if loaded is not None and getattr(loaded.__spec__, "_initializing", False) is False:
        return loaded
    before = dict(sys.modules)
    try:
        return run_keeping_builtins(import_module, name)
    except PluginRejected as error:
        _restore(name, before, private=private)
        return error.findings
    except BaseException as error:
        _restore(name, before, private=private)
        if users_own_interrupt(error):
            raise
        return (_finding(error, path, shown),)


def _restore(name: str, before: dict[str, ModuleType], *, private: bool) -> None:
    if private:
        forget_modules(name)
    for key, module in before.items():
        if sys.modules.get(key) is not module and key != name:
            sys.modules[key] = module


def _finding(error: BaseException, path: str, shown: str) -> Finding:
    text = describe_error(error, path)
    here = text.path == path
    place = Place(shown, text.line if here else None)
    line = _line_of(path, text.line) if here else None
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        message = f"needs the module {error.name!r}, which is not installed"
        return Finding("P103", message, place, hint=f"pip install {error.name.partition('.')[0]}", source_line=line)
    if isinstance(error, SystemExit):
        message = f"called sys.exit({_argument(error)}) while it was loaded"
        hint = "put what is to run as a program under: if __name__ == '__main__':"
        return Finding("P302", message, place, hint=hint, source_line=line)
    said = f": {text.message}" if text.message else ""
    return Finding("P301", f"raised {text.kind}{said} while it was loaded", place, source_line=line)


def _argument(error: SystemExit) -> str:
    return "" if error.code is None else f"{error.code!r:.60}"


def _line_of(path: str, line: int | None) -> str | None:
    # linecache is imported by the traceback machinery anyway once something failed.
    from linecache import getline  # noqa: PLC0415

    return getline(path, line).rstrip("\n") or None if line is not None else None
