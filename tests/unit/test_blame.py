import asyncio
import gc
import os
import pickle
import signal
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import pytest

from plugline.blame import ErrorText, describe_error, traceback_text, users_own_interrupt


def caught(call: Callable[[], object]) -> BaseException:
    try:
        call()
    except BaseException as error:  # noqa: BLE001 (all kinds are what this is about)
        return error
    raise AssertionError


def press_control_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)
    while True:
        pass


def raise_interrupt() -> None:
    raise KeyboardInterrupt


def raise_from(error: BaseException) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising


def test_a_signal_is_the_users_own_interrupt() -> None:
    assert users_own_interrupt(caught(press_control_c))


def test_a_signal_during_a_c_function_is_the_users_own_interrupt() -> None:
    # The handler runs inside this function.
    assert users_own_interrupt(caught(lambda: signal.raise_signal(signal.SIGINT)))


def test_a_signal_stays_the_users_own_when_it_is_raised_again() -> None:
    def clean_up() -> None:
        try:
            press_control_c()
        except KeyboardInterrupt as error:  # noqa: TRY203 (that is the case)
            raise error  # noqa: TRY201
        finally:
            len([])

    assert users_own_interrupt(caught(clean_up))


def test_a_signal_that_asyncio_turns_into_its_own_raise_is_the_users() -> None:
    async def wait() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(30)

    assert users_own_interrupt(caught(lambda: asyncio.run(wait())))


class _Handler:
    def method(self, _number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    def __call__(self, _number: int, _frame: FrameType | None) -> None:
        raise_interrupt()


@pytest.mark.parametrize(
    "handler",
    [_Handler().method, partial(_Handler().method), _Handler(), lambda _number, _frame: raise_interrupt()],
    ids=["method", "partial", "callable", "function"],
)
def test_what_the_programs_own_handler_raises_is_the_users(handler: Callable[[int, FrameType | None], None]) -> None:
    before = signal.signal(signal.SIGINT, handler)
    try:
        assert users_own_interrupt(caught(press_control_c))
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_raise_statement_is_not_the_users_interrupt() -> None:
    assert not users_own_interrupt(caught(raise_interrupt))


def test_a_raise_statement_inside_finally_is_not_the_users_interrupt() -> None:
    def raising() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            len([])

    assert not users_own_interrupt(caught(raising))


@pytest.mark.parametrize("error", [SystemExit(1), GeneratorExit(), ValueError(), BaseException()], ids=repr)
def test_no_other_exception_is_the_users(error: BaseException) -> None:
    assert not users_own_interrupt(caught(raise_from(error)))


def test_a_builtin_kind_has_no_module() -> None:
    text = describe_error(caught(lambda: int("x")))
    assert (text.kind, text.message) == ("ValueError", "invalid literal for int() with base 10: 'x'")


def test_other_kinds_are_named_with_their_module() -> None:
    class OddityError(Exception):
        pass

    assert describe_error(OddityError("no")).kind == f"{__name__}.{OddityError.__qualname__}"


def test_the_line_is_the_deepest_in_the_file_that_was_asked_about(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin.py"
    library = tmp_path / "library.py"
    library.write_text("def divide(value):\n    return 1 / value\n")
    plugin.write_text("def inner():\n    divide(0)\n\ndef transform():\n    inner()\n")
    scope: dict[str, object] = {}
    for path in (library, plugin):
        exec(compile(path.read_text(), str(path), "exec"), scope)  # noqa: S102
    transform = scope["transform"]
    assert callable(transform)
    error = caught(transform)
    assert describe_error(error, str(plugin)).line == 2
    assert describe_error(error, str(plugin)).path == str(plugin)
    assert (describe_error(error).path, describe_error(error).line) == (str(library), 2)
    assert describe_error(error, "elsewhere.py").path == str(library)


def test_an_error_without_a_frame_is_placed_in_the_file_without_a_line() -> None:
    text = describe_error(ValueError("never raised"), "plugin.py")
    assert (text.path, text.line) == ("plugin.py", None)
    assert str(text) == "ValueError: never raised (plugin.py)"


class _Raises(Exception):
    def __str__(self) -> str:
        raise SystemExit


class _Nonsense(Exception):
    def __str__(self) -> str:
        return 5  # type: ignore[return-value]  # noqa: PLE0307


class _Text(str):
    __slots__ = ()


class _Subclass(Exception):
    def __str__(self) -> str:
        return _Text("said")


class _LyingMeta(type):
    def __getattribute__(cls, name: str) -> object:
        raise RuntimeError(name)


class _Lying(Exception, metaclass=_LyingMeta):
    __traceback__ = None


def test_a_str_method_that_raises_is_told_instead_of_the_message() -> None:
    assert describe_error(_Raises()).message == "(its __str__ raised SystemExit)"


def test_a_str_method_that_returns_no_str_is_told_instead_of_the_message() -> None:
    assert describe_error(_Nonsense()).message == "(its __str__ raised TypeError)"


def test_a_message_is_exactly_a_str() -> None:
    assert type(describe_error(_Subclass()).message) is str


def test_the_users_interrupt_during_a_str_method_passes() -> None:
    class Slow(Exception):
        def __str__(self) -> str:
            press_control_c()
            return ""

    with pytest.raises(KeyboardInterrupt):
        describe_error(Slow())


def test_a_class_that_hides_its_name_and_traceback_is_described() -> None:
    def raising() -> None:
        raise _Lying

    text = describe_error(caught(raising))
    assert text.kind == "_Lying"
    assert text.path == __file__


def test_a_huge_message_is_cut_and_says_so() -> None:
    message = describe_error(ValueError("x" * 1_000_000)).message
    assert len(message) == 10_000
    assert message.endswith("x… (1,000,000 characters in all)")


def test_a_message_that_no_file_can_hold_is_escaped() -> None:
    message = describe_error(ValueError("caf\u00e9 \ud800")).message
    assert message == "café \\ud800"
    message.encode()


def test_describing_keeps_nothing_of_the_exception() -> None:
    class Pinned:
        pass

    pins: list[weakref.ref[Pinned]] = []

    def raising() -> None:
        pinned = Pinned()
        pins.append(weakref.ref(pinned))
        raise ValueError

    texts = []
    gc.disable()
    try:
        try:
            raising()
        except ValueError as error:
            texts += [describe_error(error).kind, traceback_text(error)]
        assert pins[0]() is None
    finally:
        gc.enable()
    assert texts[0] == "ValueError"
    assert "raise ValueError" in texts[1]


def test_an_error_text_is_an_immutable_value() -> None:
    text = ErrorText("ValueError", "no", "plugin.py", 3)
    assert pickle.loads(pickle.dumps(text)) == text  # noqa: S301
    assert str(text) == "ValueError: no (plugin.py:3)"
    with pytest.raises(AttributeError):
        text.line = 4


def test_a_traceback_is_shown_with_its_lines() -> None:
    shown = traceback_text(caught(raise_interrupt))
    assert shown.startswith("Traceback (most recent call last):\n")
    assert shown.endswith("    raise KeyboardInterrupt\nKeyboardInterrupt\n")


def test_a_long_traceback_is_cut() -> None:
    def down(depth: int) -> None:
        if depth == 0:
            raise ValueError("x" * 100_000)
        down(depth - 1)

    shown = traceback_text(caught(lambda: down(300)))
    assert len(shown) <= 20_000


def test_a_traceback_of_an_exception_that_cannot_be_shown_is_told() -> None:
    class Broken(Exception):
        def __getattribute__(self, name: str) -> object:
            raise SystemExit

    assert "Broken" in traceback_text(caught(raise_from(Broken("why"))))
