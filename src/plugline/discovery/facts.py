"""What source text shows of a module without running it."""

from plugline.contract.shape import Shape
from plugline.typed import Mapping
from plugline.values import Value


class FunctionFacts(Value):
    """A function or method as the source shows it.

    Attributes:
        shape: How it may be called as defined, ``None`` where a decorator may have changed that.
        column: The column of its ``def``, counted from 1.
        returns: The literal string that it returns, where that is all its body does.
    """

    __slots__ = ("column", "line", "name", "returns", "shape")
    name: str
    shape: Shape | None
    line: int
    column: int
    returns: str | None

    def __init__(self, name: str, shape: Shape | None, line: int, column: int, returns: str | None = None) -> None:
        self._set(name=name, shape=shape, line=line, column=column, returns=returns)


class ClassFacts(Value):
    """A class at the top of a module as the source shows it.

    Attributes:
        bases: The dotted names of its bases as written; ``?`` for one that is not a plain name, and last of all ``*``
            where something else may give it members that its body does not show.
        attributes: Names that its body annotates or assigns.
        abstract: Which of its methods are abstract.
    """

    __slots__ = ("abstract", "attributes", "bases", "column", "line", "methods", "name", "summary")
    name: str
    line: int
    column: int
    bases: tuple[str, ...]
    methods: tuple[FunctionFacts, ...]
    attributes: tuple[str, ...]
    summary: str
    abstract: tuple[str, ...]

    def __init__(
        self,
        name: str,
        line: int,
        column: int,
        bases: tuple[str, ...],
        methods: tuple[FunctionFacts, ...],
        attributes: tuple[str, ...],
        summary: str,
        abstract: tuple[str, ...] = (),
    ) -> None:
        self._set(
            name=name,
            line=line,
            column=column,
            bases=bases,
            methods=methods,
            attributes=attributes,
            summary=summary,
            abstract=abstract,
        )


class ImportFacts(Value):
    """One import statement, wherever in the module it stands.

    Attributes:
        module: The dotted name as written, without leading dots.
        level: How many leading dots it had.
        names: What is taken from it, empty for a plain ``import``.
        column: Its column, counted from 1.
        certain: Whether it is always run while loading: not in a function, ``if`` or ``try``.
    """

    __slots__ = ("certain", "column", "level", "line", "module", "names")
    module: str
    level: int
    names: tuple[str, ...]
    line: int
    column: int
    certain: bool

    def __init__(
        self,
        module: str,
        level: int,
        names: tuple[str, ...],
        line: int,
        column: int,
        certain: bool,  # noqa: FBT001 - a field of a value, given by keyword
    ) -> None:
        self._set(module=module, level=level, names=names, line=line, column=column, certain=certain)


class SourceFacts(Value):
    """What a module's source shows.

    Attributes:
        summary: The first line of the docstring, else of what ``describe`` returns, else empty.
        constants: Module-level names with literal values.
        constant_lines: The line of each of them.
        functions: Functions at the top of the module, those in ``if`` and ``try`` too.
        bound: Every name that is bound there in any way, and not by an import from elsewhere.
        imported: Names that an absolute import binds there.
        dynamic: Whether names may be bound that cannot be seen: ``import *``, ``globals()``, ``__getattr__``, ``exec``.
        block: What the PEP 723 block says, empty without one.
        block_line: The line on which the block begins.
    """

    __slots__ = (
        "block",
        "block_line",
        "bound",
        "classes",
        "constant_lines",
        "constants",
        "dynamic",
        "functions",
        "imported",
        "imports",
        "summary",
    )
    summary: str
    constants: Mapping[str, object]
    constant_lines: Mapping[str, int]
    functions: tuple[FunctionFacts, ...]
    classes: tuple[ClassFacts, ...]
    bound: frozenset[str]
    imported: frozenset[str]
    dynamic: bool
    imports: tuple[ImportFacts, ...]
    block: Mapping[str, object]
    block_line: int | None

    def __init__(
        self,
        summary: str,
        constants: Mapping[str, object],
        constant_lines: Mapping[str, int],
        functions: tuple[FunctionFacts, ...],
        classes: tuple[ClassFacts, ...],
        bound: frozenset[str],
        imported: frozenset[str],
        dynamic: bool,  # noqa: FBT001 - a field of a value, given by keyword
        imports: tuple[ImportFacts, ...],
        block: Mapping[str, object],
        block_line: int | None,
    ) -> None:
        self._set(
            summary=summary,
            constants=constants,
            constant_lines=constant_lines,
            functions=functions,
            classes=classes,
            bound=bound,
            imported=imported,
            dynamic=dynamic,
            imports=imports,
            block=block,
            block_line=block_line,
        )

    def find_function(self, name: str) -> FunctionFacts | None:
        """Return the function of this name that is defined last, or ``None``."""
        return next((function for function in reversed(self.functions) if function.name == name), None)
