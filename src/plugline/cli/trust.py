"""``plugline trust``: plugins as they are now to the lock file that trusts them."""

import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack

import click

from plugline.admission import LOCK_NAME
from plugline.admission.lock import is_of_newer
from plugline.admission.trust import Proposal, accept, archive_of, by_lock, is_folder_of_plugins, propose
from plugline.cli import FAULTS, OK, render
from plugline.cli.app import Misuse
from plugline.cli.listing import usual_folders
from plugline.cli.named import not_there
from plugline.cli.options import common
from plugline.files import way_to_write
from plugline.host.edits import locked_folder
from plugline.host.host import Host
from plugline.pipeline.plan import DEFAULT_FOLDER


@click.command("trust", short_help="Trust plugins as they are now: write plugline.lock.")
@click.argument("paths", nargs=-1)
@click.option(
    "--diff", "only_diff", is_flag=True, help="Show what would change, and write nothing; code 1 if anything would."
)
@click.option(
    "--lock", "lock", default=LOCK_NAME, metavar="FILE", help="The lock file; a bare name is beside the folder."
)
@common
def command(*, paths: tuple[str, ...], only_diff: bool, lock: str, as_json: bool) -> int:
    """Trust PATHS (plugin folders, archives, files and packages; or those of the settings) as they are now, with the permissions they ask for.

    Where there is a plugline.lock, only what is in it and has not changed since is loaded. Nothing is run.

    \b
    plugline trust --diff
    plugline trust
    plugline trust plugins/upper.py

    Exit codes: 0 trusted, or nothing would change; 1 something would (--diff), or could not be trusted; 2 wrong use.
    """
    wanted = _existing(paths)
    with ExitStack() as held:
        if not only_diff:
            _keep_others_out(held, by_lock(wanted, lock))
        proposals = propose(wanted, lock)
        _refuse_unknown(paths, proposals)
        _refuse_newer(proposals)
        _refuse_others(proposals)
        if not only_diff:
            for proposal in proposals:
                _accept(proposal)
    # A lock that could not be used was what was to be mended, and has been written anew.
    mended = () if only_diff else ("T305",)
    findings = [finding for proposal in proposals for finding in proposal.findings if finding.code not in mended]
    untold = _disabled(wanted) if findings else ()
    findings = [finding for finding in findings if finding.place.path not in untold]
    if as_json:
        locks = [proposal.to_data() for proposal in proposals]
        render.tell_json({"written": not only_diff, "locks": locks, "findings": findings})
    else:
        for proposal in proposals:
            _tell(proposal, only_diff=only_diff)
        if findings:
            render.say_findings(findings)
    changes = only_diff and any(proposal.diff for proposal in proposals)
    return FAULTS if findings or changes else OK


def _existing(paths: tuple[str, ...]) -> tuple[str, ...]:
    if found := paths or usual_folders():
        return found
    raise Misuse(f"there is no {DEFAULT_FOLDER}/ in the current folder", "name what to trust: plugline trust PATH...")


def _disabled(paths: Iterable[str]) -> set[str]:
    """Return the files of what is disabled in folders: who disables a plugin need not hear of what is wrong with it."""
    with Host(*filter(is_folder_of_plugins, paths)) as host:
        return {one.place.path for one in host.disabled.values()}


def _refuse_unknown(paths: Sequence[str], proposals: Sequence[Proposal]) -> None:
    """Refuse a path that is not there, unless it was trusted once, and is no more to be."""
    absent = next((path for path in paths if not os.path.lexists(archive_of(path))), None)
    diffs = [proposal.diff for proposal in proposals]
    forgets = any(change.new is None for diff in diffs for change in diff.plugins)
    if absent is not None and not forgets and not any(new is None for diff in diffs for _, _, new in diff.files):
        raise not_there(absent)


def _refuse_newer(proposals: Sequence[Proposal]) -> None:
    for finding in (finding for proposal in proposals for finding in proposal.findings if is_of_newer(finding)):
        raise Misuse(f"{finding.place}: {finding.message}", finding.hint or "")


def _refuse_others(proposals: Sequence[Proposal]) -> None:
    """Refuse to write over what never was a lock; one that was damaged, or merged, has its name yet."""
    for path in (proposal.new.path for proposal in proposals if any(one.code == "T305" for one in proposal.findings)):
        if not path.endswith(".lock") and os.path.isfile(path):
            raise Misuse(f"{path!r} is there and is no lock file", "name another file: --lock FILE")


def _keep_others_out(held: ExitStack, paths: Iterable[str]) -> None:
    """Let nobody else change locks between their being read and their being written."""
    folders = {os.path.dirname(real): (real, path) for path in paths for real in [os.path.realpath(path)]}
    for folder in sorted(filter(os.path.isdir, folders)):
        real, path = folders[folder]
        try:
            held.enter_context(locked_folder(real))
        except OSError as error:
            raise _unwritable(path, error) from error


def _accept(proposal: Proposal) -> None:
    if not proposal.diff and proposal.old is not None:
        return
    try:
        accept(proposal)
    except OSError as error:
        raise _unwritable(proposal.new.path, error) from error


def _unwritable(path: str, error: OSError) -> Misuse:
    hints = {FileNotFoundError: "create its folder", IsADirectoryError: "move that folder away"}
    hint = hints.get(type(error)) or way_to_write(error)
    return Misuse(f"{path} cannot be written: {error.strerror or error}", f"{hint}, or name another file: --lock FILE")


def _tell(proposal: Proposal, *, only_diff: bool) -> None:
    lock = proposal.new.path
    if not proposal.diff:
        render.tell(f"{lock}: nothing has changed")
        return
    for line in str(proposal.diff).split("\n"):
        render.tell(render.plain(line))
    render.tell(f"{lock}: {'nothing was written' if only_diff else f'trusted: {len(proposal.new.plugins)}'}")
