"""``plugline dev``: at every save the plugins checked anew, and a sample passed through them."""

import os
import sys
import threading
import time
from _thread import interrupt_main
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import field
from traceback import walk_stack

import click

from plugline.cli import OK, render
from plugline.cli.app import Misuse
from plugline.cli.check import check_paths
from plugline.cli.excerpts import with_source_lines
from plugline.cli.info import settings_shown
from plugline.cli.listing import usual_folders
from plugline.cli.named import folder_of, not_there
from plugline.cli.options import common
from plugline.cli.pipelines import PipelineCommand, used_steps
from plugline.cli.preview import counts_text, record_text
from plugline.cli.running import hidden_variables
from plugline.cli.settings import Settings
from plugline.errors import ConfigurationError, RunStopped
from plugline.findings import Finding
from plugline.frozen import frozen
from plugline.host.host import STORE_NAME
from plugline.names import shell_word
from plugline.pipeline.catalogue import Catalogue
from plugline.pipeline.config import PipelineConfig, config_from_flags, load_config
from plugline.pipeline.live import plugin_in_hand
from plugline.pipeline.plan import SEE_NEXT, Plan, plugin_folders
from plugline.pipeline.steps import PreviewedRecord, plan_preview, preview

_LOOK_SECONDS = 0.1  # a save is seen before a hand has left the keyboard; a look costs a stat a file
_MOST_SAMPLE_BYTES = 2**20  # of what is written by hand; the inputs of a pipeline may be logs
_PATIENCE_SECONDS = 3  # beyond what a sample of three records takes that does its work
_CLEAR = "\x1b[2J\x1b[3J\x1b[H"

Stamps = dict[str, tuple[int, int, int]]


@click.command("dev", cls=PipelineCommand, short_help="Watch plugins: check them, and run a sample, at every save.")
@click.argument("paths", nargs=-1, metavar="[PLUGINS] [SAMPLE]")
@click.option("--use", multiple=True, metavar="NAME", help="The processors, in this order; default: all, by name.")
@click.option(
    "--with", "settings", multiple=True, metavar="KEY=VALUE", help="Settings, in TOML, of the --use before it."
)
@click.option("-n", "--limit", type=click.IntRange(1), default=3, show_default=True, help="How many records to show.")
@click.option("--full", is_flag=True, help="Show all fields at every step, not only those that differ.")
@click.option("--times", type=click.IntRange(1), help="End after so many looks that found something new.")
@common
@click.pass_context
def command(
    context: click.Context,
    /,
    *,
    paths: tuple[str, ...],
    limit: int,
    full: bool,
    times: int | None,
    as_json: bool,
    **_: object,
) -> int:
    """Check the plugins of a folder at every save, and show a sample before and after each of them.

    PLUGINS is a plugin folder, a plugin file, or a pipeline file, whose source is the sample then. What is wrong is told with its
    line, and the last version that was good stays in use. Ctrl-C ends it.

    \b
    plugline dev plugins/ sample.ndjson
    plugline dev plugins/ sample.ndjson --use upper --limit 1
    plugline dev plugins/title.py sample.ndjson --use title --with 'fields=["name"]'
    plugline dev pipeline.toml
    """
    use, settings = used_steps(context.meta["plugline.steps"])
    watching = _watching(paths, use, settings)
    screen = _Screen(limit=limit, full=full, as_json=as_json)
    good: Plan | None = None
    before: Stamps = {}
    try:
        for stamps in _saves(watching):
            saved = sorted(path for path in stamps | before if before.get(path) != stamps.get(path)) if before else []
            before = stamps
            good = screen.show(watching, stamps, saved, good)
            times = times - 1 if times is not None else None
            if times == 0:
                break
    except KeyboardInterrupt:
        render.say("")
    return OK


@frozen(kw_only=True)
class _Watching:
    """What is watched.

    Attributes:
        pipeline: A pipeline file; ``None`` where a folder and a sample were named.
        sample: Where records come from; ``None`` where plugins are only checked.
        named: The plugin folders and files that were named, which are all that is used of the folders.
        use: The processors that were asked for.
        settings: Those of each of them.
        seen: Processors that were good once: as long as their file is there they are meant, also while it is broken.
        waiting: Processors that cannot be used by default, since they need settings: for each the names of these.
    """

    pipeline: str | None
    folders: tuple[str, ...]
    sample: str | None
    named: tuple[str, ...]
    use: tuple[str, ...]
    settings: tuple[Mapping[str, object], ...]
    seen: set[str] = field(default_factory=set)
    waiting: dict[str, tuple[str, ...]] = field(default_factory=dict)
    disabled: list[Finding] = field(default_factory=list)

    def config(self) -> PipelineConfig | None:
        """Return the pipeline as it is now; ``None`` where there is no sample, or no plugin to pass it through.

        Raises:
            ConfigurationError: It is wrong.
        """
        if self.pipeline is not None:
            return load_config(self.pipeline, list(Settings.load().overrides(os.path.dirname(self.pipeline))))
        if self.sample is None:
            return None
        use = self.use or self._processors()
        return config_from_flags(
            source=self.sample, sink="-", sink_format="ndjson", use=use, with_=self.settings, plugins=self.folders
        )

    def _processors(self) -> list[str]:
        self.waiting.clear()
        with Catalogue(self.folders) as catalogue:
            set_aside = (one for one in catalogue.own.disabled.values() if self._is_meant(one.place.path))
            self.disabled[:] = [finding for one in set_aside for finding in one.findings]
            meant = [plugin for plugin in catalogue.own if self._is_meant(plugin.place.path)]
            for plugin in meant:
                fields, _ = settings_shown(plugin, ("processor",))
                needed = tuple(field.name for field in fields if field.required)
                if needed:
                    self.waiting[plugin.name] = needed
            found = [
                plugin.name
                for plugin in meant
                if plugin.name not in self.waiting and "processor" in catalogue.kinds_of(plugin)
            ]
            broken = [rejected.name for rejected in catalogue.rejected if rejected.name in self.seen]
        self.seen.update(found)
        return sorted({*found, *broken})

    def _is_meant(self, path: str) -> bool:
        places = map(os.path.abspath, self.named or self.folders)
        path = os.path.abspath(path)
        return any(path == place or path.startswith(os.path.join(place, "")) for place in places)


def _watching(paths: Sequence[str], use: Sequence[str], settings: Sequence[Mapping[str, object]]) -> _Watching:
    pipeline = next((path for path in paths if path.endswith(".toml")), None)
    others = [path for path in paths if path != pipeline]
    if not paths:
        usual = Settings.load().text("pipeline")
        pipeline = usual if os.path.exists(usual) else None
    if pipeline is not None and use:
        raise Misuse(
            f"{pipeline!r} is a pipeline file, beside which --use cannot be given", "write it there: [[steps]]"
        )
    missing = [path for path in others if not os.path.exists(path)]
    if missing:
        raise not_there(missing[0], "name a plugin folder, and a file with some records")
    named = tuple(path for path in others if path.endswith(".py") or os.path.isdir(path))
    samples = [path for path in others if path not in named]
    if len(samples) > 1 or (pipeline is not None and samples):
        raise Misuse(
            f"{samples[-1]!r} is one sample too many", "name a folder and a sample: plugline dev plugins/ sample.ndjson"
        )
    found = tuple(dict.fromkeys(map(folder_of, named))) or usual_folders()
    if pipeline is None and not found:
        raise Misuse("there are no plugins to watch", "name their folder: plugline dev plugins/ sample.ndjson")
    return _Watching(
        pipeline=pipeline,
        folders=found,
        sample=samples[0] if samples else None,
        named=named,
        use=tuple(use),
        settings=tuple(settings),
    )


# ----------------------------------------------------------------------------- watching


def _saves(watching: _Watching) -> Iterator[Stamps]:
    """Yield what is there: now, and each time that it has changed and stands still again."""
    shown: Stamps | None = None
    last = _stamps(watching)
    while True:
        # Editors write in several steps, and some take the file away for a moment.
        if last != shown:
            shown = last
            yield last
        time.sleep(_LOOK_SECONDS)
        now = _stamps(watching)
        while now != last:
            last = now
            time.sleep(_LOOK_SECONDS / 2)
            now = _stamps(watching)


def _stamps(watching: _Watching) -> Stamps:
    """Return size, time and inode of each file that is watched."""
    found: Stamps = {}
    folders = list(watching.folders)
    if watching.pipeline is not None:
        _stamp(watching.pipeline, found)
        try:
            config = load_config(watching.pipeline)
            folders = plugin_folders(config, os.path.dirname(watching.pipeline))
            _stamp_source(os.path.join(os.path.dirname(watching.pipeline), config.source.path), found)
        except ConfigurationError:
            folders = list(watching.folders)
    if watching.sample is not None:
        _stamp(watching.sample, found)
    _stamp_folders(folders, found)
    return found


def _stamp_folders(folders: list[str], found: Stamps) -> None:
    for folder in folders:  # what says which plugins are used stands beside it
        for name in (STORE_NAME, "plugline.lock"):
            _stamp(os.path.normpath(os.path.join(folder, os.pardir, name)), found)
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.name.startswith(".") or entry.name == "__pycache__":
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.name.endswith((".py", ".toml", ".lock")):
                        _stamp(entry.path, found)
        except OSError:
            continue  # it is gone for a moment, or for good, which the check tells


def _stamp(path: str, found: Stamps) -> None:
    try:
        status = os.stat(path)
    except OSError:
        return
    found[path] = status.st_mtime_ns, status.st_size, status.st_ino


def _stamp_source(path: str, found: Stamps) -> None:
    """Note a pipeline's input: of one that is no sample only whether it is there, for it may grow all the time."""
    _stamp(path, found)
    _, size, inode = found.get(path, (0, 0, 0))
    if size > _MOST_SAMPLE_BYTES:
        found[path] = 0, 0, inode


# ----------------------------------------------------------------------------- showing


class _Screen:
    """Shows what came of a save: on a terminal in place of what was there before."""

    def __init__(self, *, limit: int, full: bool, as_json: bool) -> None:
        self._limit = limit
        self._full = full
        self._as_json = as_json
        self._clears = not as_json and sys.stdout is not None and sys.stdout.isatty()

    def show(self, watching: _Watching, stamps: Stamps, saved: Sequence[str], good: Plan | None) -> Plan | None:
        """Check, run the sample, and show both.

        Args:
            good: The last plan that could be run.

        Returns:
            The plan that could be run now, or else ``good``.
        """
        if not self._as_json:
            # Before plugins are run: what they print stays to be read, and one that hangs is seen to.
            what = ", ".join(map(render.plain, saved)) or "watching"
            render.tell(f"{_CLEAR if self._clears else ''}{time.strftime('%H:%M:%S')} {what}")
            render.flush()
        findings = _check(watching)
        try:
            with _ended_by_a_save(watching, stamps):
                plan, records, refused = _run(watching, good, self._limit)
        except _SavedMeanwhile:
            return good
        # What keeps the sample from being run is among the findings, but for what only shows when plugins are loaded.
        findings += [
            one for one in refused if one.advice != SEE_NEXT and not any(_same(one, other) for other in findings)
        ]
        stale = plan is not None and bool(refused)
        if self._as_json:
            self._tell_json(saved, findings, records, watching.waiting, stale=stale)
        else:
            waiting = _waiting_text(watching)
            if plan is not None and not records and not findings:
                waiting.append("no findings; the sample has no records")
            self._tell(findings, records, waiting, stale=stale)
        render.flush()
        sys.stdout.flush()
        return plan

    def _tell(
        self,
        findings: Sequence[Finding],
        records: Sequence[PreviewedRecord],
        waiting: Sequence[str],
        *,
        stale: bool,
    ) -> None:
        colours = render.coloured(sys.stdout)
        lines = [*waiting]
        if stale and records:
            lines.append("the last version that was good stays in use:")
        lines += [record_text(one, full=self._full, colours=colours) for one in records]
        if records:
            lines.append(counts_text(records))
        # Last, since of what is longer than the screen the end is seen.
        if findings:
            lines.append(render.findings_text(with_source_lines(findings), colours=colours))
        elif not lines:
            lines.append("no findings")
        render.tell("\n".join(lines).rstrip())

    def _tell_json(
        self,
        saved: Sequence[str],
        findings: Sequence[Finding],
        records: Sequence[PreviewedRecord],
        waiting: Mapping[str, Sequence[str]],
        *,
        stale: bool,
    ) -> None:
        from plugline.cli.preview import record_data  # for programs only

        told = {"saved": list(saved), "last_good": stale, "records": [record_data(one) for one in records]}
        told["needs_settings"] = {name: list(needed) for name, needed in waiting.items()}
        render.tell_json({**told, "findings": findings})


class _SavedMeanwhile(Exception):
    """A plugin was saved before the one that it was had come to its end."""


@contextmanager
def _ended_by_a_save(watching: _Watching, stamps: Stamps) -> Iterator[None]:
    """Tell, after some seconds, which line of a plugin is waited for, and end what does not come to its end at the next save.

    Raises:
        _SavedMeanwhile: It was ended.
    """
    here = threading.get_ident()
    over, saved = threading.Event(), threading.Event()

    def see_to_it() -> None:
        before = stamps
        if over.wait(_PATIENCE_SECONDS):
            return
        place = plugin_in_hand(reversed([*walk_stack(sys._current_frames()[here])]))  # noqa: SLF001 - as documented
        if place is not None:
            render.say(f"waiting for a plugin, at {place}; a save of it is tried at once, Ctrl-C ends this")
        while not over.wait(_LOOK_SECONDS):
            now = _stamps(watching)
            if now != before:
                # As the user's own Ctrl-C, which no guard takes for a plugin's failure. One that passes it over has the next.
                before = now
                saved.set()
                interrupt_main()

    thread = threading.Thread(target=see_to_it, daemon=True)
    thread.start()
    try:
        try:
            yield
        finally:
            over.set()
            thread.join()
    except KeyboardInterrupt:
        if saved.is_set():
            raise _SavedMeanwhile from None
        raise


def _waiting_text(watching: _Watching) -> list[str]:
    """Return what is said of plugins that were left out."""
    return [
        f"{render.plain(name)} is left out, since it needs settings: --use {render.plain(shell_word(name))} "
        f"--with {shell_word(f'{needed[0]}=...')}"
        for name, needed in watching.waiting.items()
    ]


def _check(watching: _Watching) -> list[Finding]:
    paths = [watching.pipeline] if watching.pipeline is not None else list(watching.named or watching.folders)
    return check_paths(paths).all


def _same(first: Finding, second: Finding) -> bool:
    return (first.code, first.place.path, first.place.line) == (second.code, second.place.path, second.place.line)


def _run(
    watching: _Watching, good: Plan | None, limit: int
) -> tuple[Plan | None, list[PreviewedRecord], Sequence[Finding]]:
    """Pass the sample through the plugins as they are, or else as they last were good.

    A plan carries its plugins' sources, so that of the last good one is what it was.
    """
    try:
        config = watching.config()
        if config is None or not config.steps:
            return None, [], watching.disabled
        plan = plan_preview(config, os.path.dirname(watching.pipeline) if watching.pipeline is not None else "")
        return plan, _previewed(plan, limit), ()
    except (ConfigurationError, RunStopped) as error:
        refused = error.findings if isinstance(error, ConfigurationError) else (error.finding,)
    if good is None:
        return None, [], refused
    try:
        return good, _previewed(good, limit), refused
    except (ConfigurationError, RunStopped):
        return good, [], refused


def _previewed(plan: Plan, limit: int) -> list[PreviewedRecord]:
    # What plugins print is talk: standard output holds the records.
    with redirect_stdout(sys.stderr), hidden_variables(plan.config):
        return list(preview(plan, limit))
