"""How a function may be called, from its code or from its syntax tree."""

from plugline.typed import Callable, CodeType, FunctionType, MethodType
from plugline.values import Value

_VARARGS = 0x04  # inspect.CO_VARARGS; inspect costs as much to import as an interpreter's start
_VARKEYWORDS = 0x08  # inspect.CO_VARKEYWORDS
ASYNC = 0x080 | 0x200  # inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


class Shape(Value):
    """The parameters of a function, ``self`` apart.

    Attributes:
        positional: Names of those that can be given by position.
        required: How many of them have no default; -1 of a method that cannot even be given its instance.
        keywords: Names of those that can be given by keyword only.
        required_keywords: Those of them that have no default.
        open_positional: Whether any further ones can be given by position (``*args``).
        open_keywords: Whether any further ones can be given by keyword (``**kwargs``).
        is_async: Whether what it returns is to be awaited; of an interface, whether it may be.
        gives_all: Of an interface, whether the host may give what has a default too, so that a plugin may need it.
    """

    __slots__ = (
        "gives_all",
        "is_async",
        "keywords",
        "open_keywords",
        "open_positional",
        "positional",
        "required",
        "required_keywords",
    )
    positional: tuple[str, ...]
    required: int
    keywords: tuple[str, ...]
    required_keywords: tuple[str, ...]
    open_positional: bool
    open_keywords: bool
    is_async: bool
    gives_all: bool

    def __init__(
        self,
        positional: tuple[str, ...] = (),
        required: int = 0,
        keywords: tuple[str, ...] = (),
        required_keywords: tuple[str, ...] = (),
        open_positional: bool = False,  # noqa: FBT001, FBT002 - a field of a value, given by keyword
        open_keywords: bool = False,  # noqa: FBT001, FBT002
        is_async: bool = False,  # noqa: FBT001, FBT002
        gives_all: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self._set(
            positional=positional,
            required=required,
            keywords=keywords,
            required_keywords=required_keywords,
            open_positional=open_positional,
            open_keywords=open_keywords,
            is_async=is_async,
            gives_all=gives_all,
        )

    def __str__(self) -> str:
        """Return it as in source: ``(record, *, strict=...)``."""
        parts = list(self.positional[: self.required])
        parts += [f"{name}=..." for name in self.positional[self.required :]]
        if self.open_positional:
            parts.append("*args")
        elif self.keywords:
            parts.append("*")
        parts += [name if name in self.required_keywords else f"{name}=..." for name in self.keywords]
        if self.open_keywords:
            parts.append("**kwargs")
        return f"({', '.join(parts)})"

    @property
    def has_options(self) -> bool:
        """Whether anything that it names may be left out."""
        return len(self.positional) > self.required or len(self.keywords) > len(self.required_keywords)

    @property
    def takes_more(self) -> bool:
        """Whether it takes more than one argument."""
        return len(self.positional) > 1 or self.open_positional or bool(self.keywords) or self.open_keywords

    def without_first(self) -> "Shape":
        """Return it as it is seen on an instance."""
        return Shape(
            self.positional[1:],
            self.required - 1 if self.required or not (self.positional or self.open_positional) else 0,
            self.keywords,
            self.required_keywords,
            self.open_positional,
            self.open_keywords,
            self.is_async,
        )


def shape_of(value: object) -> Shape | None:
    """Return how ``value`` may be called, or ``None`` where that cannot be known (or it cannot be called at all)."""
    if isinstance(value, MethodType):
        inner = shape_of(value.__func__)
        return inner.without_first() if inner is not None else None
    if isinstance(value, FunctionType) and not hasattr(value, "__wrapped__"):
        return _shape_of_function(value)
    if not callable(value):
        return None
    # Decorated functions, partials, callable objects and C functions: rare, and inspect knows them all.
    import inspect

    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return None
    return _shape_of_signature([(p.name, p.kind.value, p.default is p.empty) for p in signature.parameters.values()])


def _shape_of_function(function: FunctionType) -> Shape:
    code: CodeType = function.__code__
    positional = code.co_varnames[: code.co_argcount]
    keywords = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    keyword_defaults = function.__kwdefaults__ or {}
    return Shape(
        positional,
        len(positional) - len(function.__defaults__ or ()),
        keywords,
        tuple(name for name in keywords if name not in keyword_defaults),
        bool(code.co_flags & _VARARGS),
        bool(code.co_flags & _VARKEYWORDS),
        bool(code.co_flags & ASYNC),
    )


def _shape_of_signature(parameters: list[tuple[str, int, bool]]) -> Shape:
    # The values of inspect's kinds: 0 positional only, 1 both, 2 *args, 3 keyword only, 4 **kwargs.
    both = [(name, required) for name, kind, required in parameters if kind in (0, 1)]
    only = [(name, required) for name, kind, required in parameters if kind == 3]
    kinds = {kind for _, kind, _ in parameters}
    return Shape(
        tuple(name for name, _ in both),
        sum(required for _, required in both),
        tuple(name for name, _ in only),
        tuple(name for name, required in only if required),
        2 in kinds,
        4 in kinds,
    )


def shape_problems(wanted: Shape, given: Shape) -> list[str]:
    """Say why a function of shape ``given`` cannot be called as the interface's ``wanted`` says; empty when it can.

    A parameter that is optional in the interface need not be taken: interfaces may grow. What ``*args`` and ``**kwargs``
    stand for there is the host's to know.
    """
    problems = []
    if given.is_async and not wanted.is_async:
        problems.append("is async, the host calls it as a plain function and would get a coroutine")
    if not given.open_positional and len(given.positional) < wanted.required:
        problems.append(f"takes {_count(len(given.positional))}, the host gives {wanted.required}")
    elif given.required < 0 <= wanted.required:
        problems.append("lacks self, which each call gives")
    most = len(wanted.positional) if wanted.gives_all else max(wanted.required, 0)
    keywords = wanted.keywords if wanted.gives_all else wanted.required_keywords
    extra = [name for name in given.positional[most : given.required] if name not in keywords]
    if extra and not wanted.open_positional and not wanted.open_keywords:
        needs = _count(given.required)
        problems.append(f"needs {needs}, the host gives {most} (nothing for {', '.join(extra)})")
    problems += [
        f"needs the keyword {name!r}, which the host does not give"
        for name in given.required_keywords
        if name not in keywords and not wanted.open_keywords
    ]
    if not given.open_keywords:
        problems += [
            f"does not take the keyword {name!r}, which the host gives"
            for name in wanted.required_keywords
            if name not in given.keywords and name not in given.positional
        ]
    return problems


def fitted(call: Callable[..., object], wanted: Shape) -> Callable[..., object]:
    """Return a function to call as the interface's ``wanted`` says: without what is optional there, and ``call`` does not take."""
    given = shape_of(call)
    if given is None or (given.open_positional and given.open_keywords):
        return call
    most = None if given.open_positional else len(given.positional)
    optional = {*wanted.positional[max(wanted.required, len(given.positional)) :], *wanted.keywords}
    left_out = optional.difference(wanted.required_keywords, given.positional, given.keywords)
    if not left_out:
        return call

    def fitting(*arguments: object, **keywords: object) -> object:
        if not given.open_keywords:
            keywords = {name: value for name, value in keywords.items() if name not in left_out}
        return call(*arguments[:most], **keywords)

    return fitting


def _count(number: int) -> str:
    return "1 argument" if number == 1 else f"{number} arguments"
