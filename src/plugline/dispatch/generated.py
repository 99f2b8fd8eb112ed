"""Source text that we write ourselves to functions whose lines show in tracebacks."""

from __future__ import annotations

import sys
from _weakref import ref  # weakref itself is not there at a bare start
from itertools import count
from types import FunctionType

from plugline.typed import CodeType

_numbers = count(1)


class _Source:
    """What a traceback asks for the lines of a file that is none (PEP 302's ``get_source``)."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def get_source(self, _module: str) -> str:
        return self.text


class _Printed:
    """Takes the lines out of ``linecache`` when the functions they belong to are gone."""

    __slots__ = ("path",)

    def __init__(self, path: str) -> None:
        self.path = path

    def __del__(self) -> None:
        # linecache is there only if a traceback was printed. Importing it here would cost re and tokenize.
        # Nor has it a cache while somebody else is in the middle of that, which is when this may be collected.
        cache = getattr(sys.modules.get("linecache"), "cache", None)
        if cache is not None:
            cache.pop(self.path, None)


def compile_functions(label: str, source: str, names: dict[str, object]) -> dict[str, FunctionType]:
    """Run ``source``, which holds nothing but ``def`` statements, and return the functions by name.

    Tracebacks show them, with their lines, in a pseudo file that is named after ``label``. The lines are
    looked up through ``__loader__``, so that nothing is registered anywhere; what printing a traceback leaves
    in ``linecache`` goes with the functions.

    Args:
        label: What is generated, for people ("chain of 'transform'").
        names: What the functions refer to by global names. They get a copy.
    """
    # Not "<...>": of such names linecache never asks a loader.
    path = f"plugline: generated {label} {next(_numbers)}"
    scope = dict(
        names,
        __name__="plugline.dispatch.generated",
        __loader__=_Source(source),
        __printed__=_Printed(path),
    )
    functions: dict[str, FunctionType] = {}
    exec(compile(source, path, "exec", dont_inherit=True), scope, functions)  # noqa: S102 (our own text)
    return functions


class ReplaceableFunction:
    """A plain function whose code can be replaced while others hold it and call it.

    Calls that begin after :meth:`replace` run the new version, those in flight finish on the one that they
    began with, and none mixes the two:

    1. A version is a code object, and replacing is one assignment to ``__code__``.
    2. What a version calls are globals whose names carry its number, so that no two versions share one. They
       are put there before the assignment.
    3. They are removed when the code object is gone, that is, after the last call that runs it.

    Constants of the code object would do as well and be simpler, but the garbage collector does not look into
    code objects: a plugin that holds its host would never be freed.

    Threads: calls from any; :meth:`replace` from one at a time.
    """

    __slots__ = ("_gone", "_version", "function")

    def __init__(self, label: str, source: str, names: dict[str, object]) -> None:
        """Make the first version, of the only function that ``source`` defines.

        In ``source`` and in the keys of ``names``, ``§`` stands for the number of the version. Every key has one.
        """
        self._version = 1
        self._gone: set[ref[CodeType]] = set()
        (self.function,) = compile_functions(label, self._numbered(source), self._named(names)).values()
        self._remove_with(self.function.__code__, names)

    def replace(self, source: str, names: dict[str, object]) -> None:
        """Put another version in force, for calls that begin from now on."""
        self._version += 1
        function, scope = self.function, self.function.__globals__
        source = self._numbered(source)
        made: dict[str, FunctionType] = {}
        compiled = compile(source, function.__code__.co_filename, "exec", dont_inherit=True)
        exec(compiled, scope, made)  # noqa: S102 (our own text)
        (code,) = (version.__code__ for version in made.values())
        made.clear()
        scope.update(self._named(names))
        self._remove_with(code, names)
        function.__code__ = code
        # A call still in flight on the version before now shows the new lines, as with any edited file.
        scope["__loader__"] = _Source(source)
        scope["__printed__"] = _Printed(code.co_filename)

    def _numbered(self, source: str) -> str:
        return source.replace("§", str(self._version))

    def _named(self, names: dict[str, object]) -> dict[str, object]:
        return {self._numbered(name): value for name, value in names.items()}

    def _remove_with(self, code: CodeType, names: dict[str, object]) -> None:
        scope, gone = self.function.__globals__, self._gone
        numbered = tuple(self._named(names))

        def remove(reference: ref[CodeType]) -> None:
            gone.discard(reference)
            for name in numbered:
                scope.pop(name, None)

        gone.add(ref(code, remove))
