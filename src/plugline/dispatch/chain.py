"""Callables in a row to one generated function that passes a value through them."""

from __future__ import annotations

from collections import deque

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
        message = f"on_error is {on_error!r}; expected 'raise' or 'skip'"
        raise ValueError(message)
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
