"""Callables to one guarded call of each, or of the first that has an answer."""

from __future__ import annotations

from types import FunctionType, MethodType

from plugline.blame import users_own_interrupt
from plugline.dispatch.chain import Link, step_failed
from plugline.dispatch.generated import ReplaceableFunction
from plugline.errors import StepFailed
from plugline.typed import Callable, Protocol, Sequence, TypeVar

L = TypeVar("L")


class CallAllFunction(Protocol):
    """What :func:`build_call_all` returns: a plain function with one attribute."""

    def __call__(self, *arguments: object, **keywords: object) -> Results:
        """Call all links with these arguments."""

    def replace(self, links: Sequence[Link], /) -> None:
        """Use other links from the next call on; calls in flight finish on those that they began with."""


class FirstFunction(Protocol):
    """What :func:`build_first` returns: a plain function with one attribute."""

    def __call__(self, *arguments: object, **keywords: object) -> object:
        """Return the first answer to these arguments."""

    def replace(self, links: Sequence[Link], /) -> None:
        """Use other links from the next call on; calls in flight finish on those that they began with."""


class GuardedFunction(Protocol):
    """What :func:`build_call` returns: a plain function with one attribute."""

    def __call__(self, *arguments: object, **keywords: object) -> object:
        """Call the link with these arguments."""

    def replace(self, link: Link, /) -> None:
        """Call another link from the next call on; calls in flight finish on the one that they began with."""


_VARIADIC = 0x04 | 0x08  # inspect.CO_VARARGS | inspect.CO_VARKEYWORDS; importing inspect costs a listing
_TAKEN = ("call_", "failed_", "is_interrupt_", "error")  # names that the generated source uses


class Results:
    """What all of several links returned or raised.

    Attributes:
        results: What each link returned, by name, in the order of the links.
        errors: What the others raised, by name, in the order of the links; without cause or traceback.
    """

    __slots__ = ("errors", "results")

    def __init__(self, results: dict[str, object], errors: dict[str, StepFailed]) -> None:
        self.results = results
        self.errors = errors

    def __repr__(self) -> str:
        return f"Results(results={self.results!r}, errors={self.errors!r})"


def call_all(links: Sequence[Link], /, *arguments: object, **keywords: object) -> Results:
    """Call every link with the same arguments; what one raises does not keep the others from being called.

    Only the user's own interrupt passes through. Whoever calls the same links often takes
    :func:`build_call_all`, which takes half the time.
    """
    results: dict[str, object] = {}
    errors: dict[str, StepFailed] = {}
    for index, link in enumerate(links):
        try:
            results[link.name] = link.call(*arguments, **keywords)
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            errors[link.name] = step_failed(link, index, error)
    return Results(results, errors)


def first(links: Sequence[Link], /, *arguments: object, **keywords: object) -> object:
    """Call the links in order until one returns something other than ``None``, and return that.

    Returns:
        ``None`` when all of them returned ``None``.

    Raises:
        StepFailed: A link raised; those after it were not called. The exception is its ``__cause__``.
    """
    for index, link in enumerate(links):
        try:
            result = link.call(*arguments, **keywords)
        except BaseException as error:
            if users_own_interrupt(error):
                raise
            raise step_failed(link, index, error) from error
        if result is not None:
            return result
    return None


def build_call_all(links: Sequence[Link], *, label: str = "call_all") -> CallAllFunction:
    """Return a function that does :func:`call_all` with ``links``, at the speed of a loop without a guard."""
    return _replaceable(_write_call_all, links, label)  # type: ignore[return-value]


def build_first(links: Sequence[Link], *, label: str = "first") -> FirstFunction:
    """Return a function that does :func:`first` with ``links``."""
    return _replaceable(_write_first, links, label)  # type: ignore[return-value]


def build_call(link: Link, *, label: str = "call") -> GuardedFunction:
    """Return a function that calls ``link`` with whatever it is given and returns what that returns.

    What it raises becomes a :class:`~plugline.errors.StepFailed`, whose ``__cause__`` it is; only the user's
    own interrupt passes through. A wrong number of arguments is the caller's ``TypeError`` where the link is a plain
    function without defaults, and counts as what the link raises elsewhere.
    """
    return _replaceable(_write_call, link, label)  # type: ignore[return-value]


def _replaceable(write: Callable[[L], tuple[str, dict[str, object]]], called: L, label: str) -> FunctionType:
    function = ReplaceableFunction(label, *write(called))

    def replace(called: L, /) -> None:
        function.replace(*write(called))

    function.function.__dict__["replace"] = replace
    return function.function


def _write_call_all(links: Sequence[Link]) -> tuple[str, dict[str, object]]:
    links = tuple(links)

    def failed(index: int, error: BaseException) -> StepFailed:
        return step_failed(links[index], index, error)

    def generic(arguments: tuple[object, ...], keywords: dict[str, object]) -> Results:
        return call_all(links, *arguments, **keywords)

    lines = [
        "def call_all(*arguments, **keywords):",
        # One argument is what nearly all have, and passing it as one takes half the time.
        "    if keywords or len(arguments) != 1:",
        "        return generic_§(arguments, keywords)",
        "    (argument,) = arguments",
        "    results = {}",
        "    errors = {}",
    ]
    for index, link in enumerate(links):
        lines += [
            "    try:",
            f"        results[{link.name!a}] = call_§_{index}(argument)",
            "    except BaseException as error:",
            "        if is_interrupt_§(error):",
            "            raise",
            f"        errors[{link.name!a}] = failed_§({index}, error)",
        ]
    lines.append("    return results_§(results, errors)")
    names: dict[str, object] = {f"call_§_{index}": link.call for index, link in enumerate(links)}
    names.update(
        {"failed_§": failed, "generic_§": generic, "is_interrupt_§": users_own_interrupt, "results_§": Results}
    )
    return "\n".join(lines), names


def _write_first(links: Sequence[Link]) -> tuple[str, dict[str, object]]:
    links = tuple(links)

    def failed(index: int, error: BaseException) -> StepFailed:
        return step_failed(links[index], index, error)

    lines = ["def first(*arguments, **keywords):"]
    for index in range(len(links)):
        lines += [
            "    try:",
            f"        result = call_§_{index}(*arguments, **keywords)",
            "    except BaseException as error:",
            "        if is_interrupt_§(error):",
            "            raise",
            f"        raise failed_§({index}, error) from error",
            "    if result is not None:",
            "        return result",
        ]
    lines.append("    return None")
    names: dict[str, object] = {f"call_§_{index}": link.call for index, link in enumerate(links)}
    return "\n".join(lines), {**names, "failed_§": failed, "is_interrupt_§": users_own_interrupt}


def _write_call(link: Link) -> tuple[str, dict[str, object]]:
    def failed(error: BaseException) -> StepFailed:
        return step_failed(link, 0, error)

    # Arguments by name cost a third of those that go through *arguments.
    declared = _plain_parameters(link.call)
    parameters = "*arguments, **keywords" if declared is None else ", ".join(declared)
    lines = [
        f"def call({parameters}):",
        "    try:",
        f"        return call_§({parameters})",
        "    except BaseException as error:",
        "        if is_interrupt_§(error):",
        "            raise",
        "        raise failed_§(error) from error",
    ]
    names: dict[str, object] = {"call_§": link.call, "failed_§": failed, "is_interrupt_§": users_own_interrupt}
    return "\n".join(lines), names


def _plain_parameters(call: object) -> tuple[str, ...] | None:
    """Return the names of the parameters of ``call`` where it takes just so many, by position or name."""
    bound = type(call) is MethodType
    function = call.__func__ if bound else call  # type: ignore[attr-defined]
    if type(function) is not FunctionType:
        return None
    code = function.__code__
    if code.co_flags & _VARIADIC or code.co_kwonlyargcount or code.co_posonlyargcount or function.__defaults__:
        return None
    names = code.co_varnames[bound : code.co_argcount]
    return None if any(name.startswith(_TAKEN) for name in names) else names
