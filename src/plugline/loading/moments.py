"""The moments of a plugin's life that it may take part in: ``on_load``, ``on_unload``, ``on_reload``."""

from plugline.contract.shape import shape_of
from plugline.typed import Mapping
from plugline.values import Value


class LoadContext(Value):
    """What a plugin is told when it begins its work.

    Attributes:
        name: What configurations call it.
        generation: The count of its successful loads, this one included.
        reason: ``"load"``; ``"reload"`` where it follows an older generation, which is closed; ``"restore"`` where it is
            to open again what it closed, because the generation that should have followed could not.
    """

    __slots__ = ("generation", "name", "reason")
    name: str
    generation: int
    reason: str

    def __init__(self, name: str, generation: int, reason: str) -> None:
        self._set(name=name, generation=generation, reason=reason)


def begin(names: Mapping[str, object], context: LoadContext) -> None:
    """Call a module's ``on_load``, where it has one; what that raises passes."""
    call_with(names.get("on_load"), context)


def end(names: Mapping[str, object]) -> None:
    """Call a module's ``on_unload``, where it has one; what that raises passes."""
    call_with(names.get("on_unload"))


def end_quietly(names: Mapping[str, object], name: str) -> None:
    """Call a module's ``on_unload``; what that raises is told to the log, since what could not be closed cannot stay either."""
    try:
        end(names)
    except BaseException as error:
        from plugline.blame import users_own_interrupt  # it seldom fails

        if users_own_interrupt(error):
            raise
        from plugline.logged import log_warning

        log_warning(__name__, "on_unload() of %s failed", name, exc_info=True)


def call_with(function: object, *arguments: object) -> None:
    """Call what a plugin may have, with as many of the arguments as it takes."""
    if not callable(function):
        return
    shape = shape_of(function)
    if shape is not None and not shape.open_positional:
        arguments = arguments[: len(shape.positional)]
    function(*arguments)
