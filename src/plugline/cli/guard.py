"""One command, whatever becomes of it, to an exit code; without the parser of command lines."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import plugline
from plugline.cli import MISUSED, OK, OUR_BUG, STOPPED, process, render

TYPE_CHECKING = False
if TYPE_CHECKING:  # made by whoever has them applied
    from plugline.cli.settings import Settings


class Invocation:
    """What all of one invocation share: whether tracebacks are wanted, and the signal that ended it."""

    def __init__(self) -> None:
        self.verbose = False
        self.signal = signal.SIGINT

    @property
    def code(self) -> int:
        """What a command ends with that a signal ended, as a shell has it: 130 after Ctrl-C."""
        return 128 + int(self.signal)


def guarded(command: Callable[[], int], invocation: Invocation) -> int:
    """Run a command, tell what went wrong, and return the exit code."""
    _guard_standard_streams()
    try:
        code = command()
        render.flush()
    except BrokenPipeError:
        render.forget_output()
        return OK
    except KeyboardInterrupt as interrupt:
        _tell_plugin_in_hand(interrupt)
        return invocation.code
    except render.OutputLost as error:
        render.forget_output()
        render.error(f"standard output cannot be written: {error}")
        return STOPPED
    except Exception as error:  # noqa: BLE001 - whatever reaches this place is a bug of ours, and is told as one
        if isinstance(error, FileNotFoundError) and _is_nowhere():
            render.error("the current folder is not there any more", "cd to another one; if it was made anew: cd .")
            return MISUSED
        _tell_bug(error, verbose=invocation.verbose)
        return OUR_BUG
    return code


def settled(*, warns: bool = True) -> "Settings | None":
    """Return the settings of the tool, or say what is wrong with them: then the use was wrong.

    Args:
        warns: Whether to say what is wrong with them and does not keep the command from its work.
    """
    # Each command needs them, and imports them here: what only asks for an exit code does not.
    from plugline.cli.settings import Settings
    from plugline.errors import ConfigurationError

    try:
        settings = Settings.load()
    except ConfigurationError as error:
        render.say_findings(error.findings)
        return None
    process.begun()
    if warns:
        settings.warn()
    return settings


@contextmanager
def applied(settings: "Settings") -> Iterator[None]:
    """Let the settings of the tool hold for as long as the block runs."""
    render.use_colours(settings.text("color"))
    try:
        level = settings.text("log_level")
        if level == "off":
            yield
            return
        from plugline.cli.logs import logged  # logging costs more than a listing

        with logged(level, settings.text("log_format")):
            yield
    finally:
        render.use_colours("auto")


def _guard_standard_streams() -> None:
    """Occupy closed standard descriptors, so that no output file becomes number 1, which anybody prints to.

    Each is opened the wrong way round, as gnulib's ``stdopen`` does: using it fails instead of losing what is written.
    """
    for descriptor, flags in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, flags)


def _tell_plugin_in_hand(interrupt: KeyboardInterrupt) -> None:
    """Tell which plugin was being loaded or run: one that never comes to its end shows nothing else of itself."""
    from traceback import walk_tb  # an interrupt is rare

    from plugline.pipeline.live import plugin_in_hand

    place = plugin_in_hand(walk_tb(interrupt.__traceback__))
    if place is not None:
        hint = "if it does not come to its end there: mend that line, or disable the plugin"
        render.error(f"interrupted in a plugin, at {place}", hint)


def _is_nowhere() -> bool:
    """Whether somebody removed the folder that this process is in."""
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _tell_bug(error: Exception, *, verbose: bool) -> None:
    if verbose:
        from traceback import format_exception  # costly, and only for what should not happen

        render.say("".join(format_exception(error)).rstrip())
    said = " ".join(str(error).split())
    version = f"plugline {plugline.__version__}, Python {sys.version.split()[0]}, {sys.platform}"
    again = "" if verbose else "run it again with -v, and "
    render.error(
        f"a bug in plugline: {type(error).__name__}: {said}" if said else f"a bug in plugline: {type(error).__name__}",
        f"{again}report the command, the traceback and this line: {version}",
    )
