"""``plugline bisect``: a command that fails to the plugin that makes it fail."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import click

from plugline.cli import FAULTS, OK, render
from plugline.cli.app import Misuse
from plugline.cli.guard import Invocation
from plugline.cli.listing import usual_folders
from plugline.cli.options import common, plugin_folders
from plugline.cli.running import signals
from plugline.discovery.folder import Folder
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.host.host import Host
from plugline.names import shell_word

VARIABLE = "PLUGLINE_ONLY"
_CANNOT_TELL = 125  # as git bisect has it
_NOW_AND_THEN = "fails only now and then: with the same plugins it did, and did not"


@frozen(kw_only=True)
class Blame:
    """The plugin with which a command begins to fail.

    Attributes:
        alone: Whether the command fails with it alone; else only together with others.
    """

    plugin: str
    alone: bool


def find_to_blame(names: Sequence[str], fails: Callable[[Sequence[str]], bool]) -> Blame:
    """Find the plugin with which ``fails`` begins to be true, in log2(n) + 1 calls.

    Plugins are added in order, so the answer is that of a search in a sorted list: with those before it the command does
    not fail, with it too it does. Where several are to blame, the first such is found.

    Args:
        names: At least one; with all of them it fails, with none it does not.
        fails: Runs the command with these plugins only.
    """
    good, bad = 0, len(names)  # with so many of the first it does not fail, and does
    while bad - good > 1:
        middle = (good + bad) // 2
        if fails(names[:middle]):
            bad = middle
        else:
            good = middle
    return Blame(plugin=names[bad - 1], alone=bad == 1 or fails([names[bad - 1]]))


@click.command("bisect", short_help="Find the plugin that makes a command fail.")
@plugin_folders
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="A run that takes longer has failed.",
)
@click.argument("words", nargs=-1, required=True, metavar="-- CMD...")
@common
def command(*, folders: tuple[str, ...], timeout: float | None, words: tuple[str, ...], as_json: bool) -> int:
    """Find the plugin that makes CMD fail, by running it with fewer and fewer plugins: about log2(n) times.

    CMD is any program that takes plugins with plugline, plugline itself included; it fails when its exit code is not 0, and
    cannot tell when it is 125. Which plugins it may use stands in the variable PLUGLINE_ONLY of its environment.

    \b
    plugline bisect -- python host.py
    plugline bisect --plugins my_plugins --timeout 10 -- plugline run pipeline.toml
    plugline bisect -- sh -c 'python host.py | grep -q "expected line"'

    Exit codes: 0 found; 1 it fails without plugins too, only now and then, or not even with all of them; 2 wrong use.
    """
    found = [Folder(folder).find() for folder in folders or usual_folders()]
    findings = [finding for one in found for finding in one.findings]
    # By file and not by name: which of them have a fault that only shows when they are run is the very question.
    places = {candidate.name: candidate.place for one in found for candidate in one.candidates}
    if findings or not places:
        hint = "name the folder that the program's plugins are in: plugline bisect --plugins FOLDER -- CMD..."
        said = f"{findings[0].place}: {findings[0].message}" if findings else "there are no plugins to choose from"
        raise Misuse(said, hint)
    search = _Search(words, timeout, total=len(places))
    try:
        with signals(click.get_current_context().find_object(Invocation) or Invocation()):
            outcome = search.run(sorted(places))
    except OSError as error:
        command = "CMD..."
        if len(words) == 1 and " " in words[0]:
            command = words[0]  # in quotes, all of it was the name of a program
        elif words[0].endswith(".py") and os.path.isfile(words[0]):
            command = " ".join(map(shell_word, ("python", *words)))
        hint = f"name a program: plugline bisect -- {command}"
        raise Misuse(f"{words[0]!r} cannot be run: {error.strerror}", hint) from error
    return _tell(outcome, search, places, folders, as_json=as_json)


class _Search:
    """Runs a command with some of the plugins, and keeps what came of it."""

    def __init__(self, words: Sequence[str], timeout: float | None, *, total: int) -> None:
        self.words = words
        self._timeout = timeout
        self._total = total
        self.history: list[dict[str, object]] = []

    def run(self, names: Sequence[str]) -> Blame | str:
        """Return the plugin to blame, or why none is."""
        if not self.fails(names):
            return "does not fail with all plugins in use, so that there is none to blame"
        if self.fails([]):
            return "fails without any plugin too: none is to blame, or it does not take its plugins with plugline"
        blame = find_to_blame(names, self.fails)
        before = names.index(blame.plugin)
        # What fails by chance has led anywhere: a plugin that is to blame makes the same difference again.
        again = blame.alone or (
            self.fails(names[: before + 1]) and not any(self.fails(names[:before]) for _ in range(2))
        )
        return blame if again else _NOW_AND_THEN

    def fails(self, names: Sequence[str]) -> bool:
        """Run the command with these plugins only."""
        # A name may have a comma in it, but no end of line.
        environment = {**os.environ, VARIABLE: "\n".join(names)}
        began = time.monotonic()
        code = _exit_code(self.words, environment, self._timeout)
        seconds = time.monotonic() - began
        self.history.append({"plugins": len(names), "exit_code": code, "seconds": seconds})
        said = "took too long" if code is None else f"exit code {code}"
        render.say(f"run {len(self.history)}: {len(names)} of {self._total} plugins: {said}")
        if code == _CANNOT_TELL:
            hint = "exit code 125 means that it cannot tell; let it end with 0 or 1"
            raise Misuse(f"the command could not tell with {len(names)} plugins", hint)
        return code != 0


def _exit_code(words: Sequence[str], environment: dict[str, str], timeout: float | None) -> int | None:
    """Run a program and all that it starts; ``None`` where it took too long and was killed."""
    quiet = subprocess.DEVNULL
    # What comes while it begins, when nobody could end it yet, is heard afterwards.
    early: list[int] = []
    numbers = [
        number
        for number in {signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)}
        if callable(signal.getsignal(number))
    ]
    before = {number: signal.signal(number, lambda number, _: early.append(number)) for number in numbers}
    try:
        # A session of its own, so that what it started ends with it.
        process = subprocess.Popen(
            words, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
        )
    except OSError:
        _restore(before)
        raise
    with process:
        try:
            _restore(before)
            for number in early:
                signal.raise_signal(number)
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                if sys.platform == "win32":
                    process.kill()  # there are no sessions: what it started goes on
                else:
                    os.killpg(process.pid, signal.SIGKILL)


def _restore(handlers: dict[int, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def _tell(
    outcome: Blame | str, search: _Search, places: dict[str, Place], named: Sequence[str], *, as_json: bool
) -> int:
    if isinstance(outcome, str):
        if as_json:
            render.tell_json({"plugin": None, "reason": outcome, "runs": search.history})
        else:
            command = " ".join(map(shell_word, search.words))
            hint = f"see what it says: {VARIABLE}= {command}"
            if len(search.history) == 1 or outcome == _NOW_AND_THEN:
                often = shell_word(f"for i in 1 2 3 4 5; do {command} || exit; done")
                hint = f"one that fails only now and then has to be repeated: plugline bisect -- sh -c {often}"
            render.error(f"the command {outcome}", hint)
        return FAULTS
    name, place = outcome.plugin, places[outcome.plugin]
    if as_json:
        told = {"plugin": name, "path": place.path, "alone": outcome.alone}
        render.tell_json({**told, "runs": search.history})
        return OK
    how = "" if outcome.alone else ", but only together with plugins before it"
    # With the folders as they were named here: disable would look elsewhere.
    words = [*_names_in(name, place, named), *(word for folder in named for word in ("--plugins", folder))]
    command = f"plugline disable {' '.join(map(shell_word, words))}"
    finding = Finding("R162", f"the plugin {name!r} makes the command fail{how}", place, command)
    render.tell(render.finding_text(finding))
    return OK


def _names_in(file: str, place: Place, folders: Sequence[str]) -> list[str]:
    """Return the names of the plugins in a file, which need not be its own."""
    with Host(*(folders or usual_folders())) as host:
        names = [plugin.name for plugin in host.plugins if plugin.place.path == place.path]
        names += [rejected.name for rejected in host.rejected if rejected.place.path == place.path]
    # That of a file with several plugins means all of them.
    return [file] if not names or any(name.partition(":")[0] == file for name in names) else names
