"""Callables to generated functions: a value through all of them, one guarded call of each, or of the first that has an answer."""

from __future__ import annotations

from collections import deque
from types import FunctionType, MethodType

from plugline.blame import ErrorText, describe_error, traceback_of, users_own_interrupt
from plugline.dispatch.copies import structural_copy
from plugline.dispatch.generated import ReplaceableFunction
from plugline.errors import PluginRejected, StepFailed
from plugline.findings import Finding
from plugline.typed import Callable, Literal, Protocol, Sequence, TypeVar
from plugline.values import Value

T = TypeVar("T")


class ChainFunction(Protocol):
    """What :func:`build_chain` returns: a plain function with two attributes.

    Attributes:
        errors: With ``on_error="skip"``, the last 1,000 errors, oldest first.
    """

    errors: deque[StepFailed]

    def __call__(self, value: T, /, *more: object, **named: object) -> T:
        """Pass ``value`` through all links, each of which gets the other arguments too."""

    def replace(self, links: Sequence[Link], /) -> None:
        """Use other links from the next call on; calls in flight finish on those that they began with."""


_MAX_ERRORS = 1_000  # enough to see what is wrong; a program may call a chain for years


class Link(Value):
    """One callable and whose it is.

    Attributes:
        name: The name of the plugin.
        call: What is called.
        file: The plugin's file, so that errors lead to its line of it.
        on_failure: Told of each error that the call becomes; it must not raise.
    """

    __slots__ = ("call", "file", "name", "on_failure")
    name: str
    call: Callable[..., object]
    file: str | None
    on_failure: Callable[[StepFailed], None] | None

    def __init__(
        self,
        name: str,
        call: Callable[..., object],
        file: str | None = None,
        on_failure: Callable[[StepFailed], None] | None = None,
    ) -> None:
        self._set(name=name, call=call, file=file, on_failure=on_failure)


def step_failed(link: Link, index: int, error: BaseException) -> StepFailed:
    """Put into an error of ours what ``link`` raised, without keeping it."""
    text = _set_aside(error, link) or describe_error(error, link.file)
    failed = StepFailed(link.name, index, text.kind, text.message, text.path, text.line)
    if link.on_failure is not None:
        link.on_failure(failed)
    return failed


def _set_aside(error: BaseException, link: Link) -> ErrorText | None:
    """Return why a plugin was not called at all; ``None`` where it was."""
    if not issubclass(type(error), PluginRejected):  # isinstance() asks for __class__, which is a plugin's own code
        return None
    assert isinstance(error, PluginRejected)  # noqa: S101 - as was just seen
    finding = next(iter(error.findings), None)
    if error.plugin != link.name or not isinstance(finding, Finding):
        return None
    kind = type(error)
    said = f"{finding.message}; {finding.hint}" if finding.hint is not None else finding.message
    return ErrorText(f"{kind.__module__}.{kind.__qualname__}", said, finding.place.path, finding.place.line)


def build_chain(
    links: Sequence[Link],
    on_error: Literal["raise", "skip"] = "raise",
    *,
    label: str = "chain",
    more: bool = False,
) -> ChainFunction:
    """Return a function that gives its argument to the first link, that one's result to the next, and so on.

    What a link raises, ``SystemExit`` and its like included, is its failure; only the user's own interrupt
    passes through. With ``"raise"`` it becomes a :class:`~plugline.errors.StepFailed`, whose ``__cause__`` it
    is. With ``"skip"`` the value from before the link goes on to the next, and a ``StepFailed`` without cause
    or traceback is appended to the function's ``errors``. A dict or list is copied before each link then,
    at every depth, so that a link that fails half way leaves no half of its work; for values of
    other kinds that is the link's own affair.

    Args:
        links: May be empty; then the argument is returned.
        on_error: What to do when a link raises.
        label: What tracebacks call it.
        more: Whether it takes further arguments, which every link gets; that costs some.

    Raises:
        ValueError: There is no such ``on_error``.
    """
    if on_error not in _WRITERS:
        raise ValueError(f"on_error is {on_error!r}; expected 'raise' or 'skip'")
    write = _WRITERS[on_error]
    errors: deque[StepFailed] = deque(maxlen=_MAX_ERRORS)
    given = "value, /, *more, **named" if more else "value"
    chain = ReplaceableFunction(label, *write(links, errors, given))

    def replace(links: Sequence[Link], /) -> None:
        chain.replace(*write(links, errors, given))

    function = chain.function
    function.__dict__.update(errors=errors, replace=replace)
    return function  # type: ignore[return-value]


def _write_raising(links: Sequence[Link], _errors: deque[StepFailed], given: str) -> tuple[str, dict[str, object]]:
    first_line = 3
    links = tuple(links)
    passed = given.replace("/, ", "")

    def failed(error: BaseException) -> StepFailed:
        # One line a link, so that the line of our own entry, the outermost, tells which it was. A counter
        # that is set before each call costs 8 % of the whole.
        entry = traceback_of(error)
        index = entry.tb_lineno - first_line if entry is not None else 0
        return step_failed(links[index], index, error)

    source = "\n".join(
        (
            f"def chain({given}):",
            "    try:",
            *(f"        value = call_§_{index}({passed})  # {link.name!a}" for index, link in enumerate(links)),
            "        return value",
            "    except BaseException as error:",
            "        if is_interrupt_§(error):",
            "            raise",
            # Not by way of a variable: an exception that its own frame holds is a cycle.
            "        raise failed_§(error) from error",
        )
    )
    return source, {"failed_§": failed, "is_interrupt_§": users_own_interrupt, **_calls(links)}


def _write_skipping(links: Sequence[Link], errors: deque[StepFailed], given: str) -> tuple[str, dict[str, object]]:
    links = tuple(links)
    passed = given.replace("/, ", "")

    def failed(index: int, error: BaseException) -> None:
        errors.append(step_failed(links[index], index, error))

    lines = [f"def chain({given}):"]
    for index, link in enumerate(links):
        lines += [
            "    before = copy_§(value)",
            "    try:",
            f"        value = call_§_{index}({passed})  # {link.name!a}",
            "    except BaseException as error:",
            "        if is_interrupt_§(error):",
            "            raise",
            f"        failed_§({index}, error)",
            "        value = before",
        ]
    lines.append("    return value")
    names = {"failed_§": failed, "is_interrupt_§": users_own_interrupt, "copy_§": structural_copy}
    return "\n".join(lines), {**names, **_calls(links)}


def _calls(links: Sequence[Link]) -> dict[str, object]:
    return {f"call_§_{index}": link.call for index, link in enumerate(links)}


_WRITERS = {"raise": _write_raising, "skip": _write_skipping}


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


def build_call_all(links: Sequence[Link], *, label: str = "call_all") -> CallAllFunction:
    """Return a function that does :func:`call_all` with ``links``, at the speed of a loop without a guard."""
    return _replaceable(_write_call_all, links, label)  # type: ignore[return-value]


def build_first(links: Sequence[Link], *, label: str = "first") -> FirstFunction:
    """Return a function that calls ``links`` in order until one returns something other than ``None``, and returns that.

    It returns ``None`` when all of them did, and raises :class:`~plugline.errors.StepFailed` when one raised, whose
    ``__cause__`` that is; those after it are not called.
    """
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
