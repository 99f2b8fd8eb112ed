"""A path to who could change what it leads to, after OpenSSH's ``StrictModes``.

Whoever may write to a folder may replace what is in it, so every component of the path counts, from the root down,
and so does every link on the way and what it leads to. A component is sound when it belongs to root or to us and
nobody else may write to it. A folder with the sticky bit that all may write to, such as ``/tmp``, is sound when
the next component belongs to root or to us: nobody else can then replace it.

Not looked at: access control lists beyond what of them shows in the mode (a grant to write shows as writable by the
group), capabilities, and who may write to the device below.
"""

import os
import stat
import sys

from plugline.files import reason_of
from plugline.findings import Finding, Place
from plugline.names import shell_word
from plugline.values import Value

_MAX_LINKS = 40  # as many as Linux follows
_WINDOWS = "owners and modes are not checked on Windows: who may write to a folder is in its access control list"


class Component(Value):
    """One component of a path, as ``lstat`` shows it.

    Attributes:
        path: Its absolute path.
        owner: The number of its user.
        group: The number of its group.
        kept: Whether it is in a sticky folder that others may write to, so that only its owner can replace it.
        shared: Whether the group that may write to it has anybody in it besides its owner; true where all may write.
    """

    __slots__ = ("group", "kept", "mode", "owner", "path", "shared")
    path: str
    owner: int
    group: int
    mode: int
    kept: bool
    shared: bool

    def __init__(
        self, path: str, owner: int, group: int, mode: int, *, kept: bool = False, shared: bool = True
    ) -> None:
        self._set(path=path, owner=owner, group=group, mode=mode, kept=kept, shared=shared)


class OwnerFacts(Value):
    """Who owns a path, component by component.

    Attributes:
        components: From the root down, links and what they lead to included.
        user: The number of the user that we are.
        trouble: What could not be looked at, and why, as a pair; ``None`` where everything could.
        skipped: Why nothing was looked at; ``None`` where something was.
        sound: Whether it is known already that there is nothing to find, however strict one is. The components are then
            those of the folder, without the file.
    """

    __slots__ = ("components", "skipped", "sound", "trouble", "user")
    components: tuple[Component, ...]
    user: int
    trouble: tuple[str, str] | None
    skipped: str | None
    sound: bool

    def __init__(
        self,
        components: tuple[Component, ...] = (),
        user: int = 0,
        trouble: tuple[str, str] | None = None,
        skipped: str | None = None,
        *,
        sound: bool = False,
    ) -> None:
        self._set(components=components, user=user, trouble=trouble, skipped=skipped, sound=sound)


class Owners:
    """Looks up who owns paths; between two calls of :meth:`renew` each folder is looked at once."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[OwnerFacts, str]] = {}
        self._old: dict[str, tuple[OwnerFacts, str]] = {}

    def renew(self) -> None:
        """Look at all folders again. What has the same owners and modes as before is not judged anew."""
        if self._folders:
            self._old = {**self._old, **self._folders}
            self._folders = {}

    def look(self, path: str, owner: tuple[int, int, int] | None = None) -> OwnerFacts:
        """Return the facts about a path; never raises, and opens nothing.

        Args:
            path: Made absolute by text alone, so a ``..`` after a link is not what the system makes of it.
            owner: User, group and mode of what it leads to where that is known, and is no link.
        """
        geteuid = getattr(os, "geteuid", None)
        if geteuid is None:
            return OwnerFacts(skipped=_WINDOWS)
        user = geteuid()
        folder, name = _plain_split(path) or os.path.split(os.path.abspath(path))
        known = self._folders.get(folder)
        if known is None:
            old = self._old.get(folder)
            known = self._folders[folder] = old if old is not None and _is_same(old[0], user) else _judged(folder, user)
        if known[0].trouble is not None or not name:
            return known[0]
        if known[0].sound:
            # Most files end here: a regular file of ours, in a folder that only we can write to.
            if owner is None:
                status = _lstat(f"{known[1]}/{name}")
                owner = (status.st_uid, status.st_gid, status.st_mode) if not isinstance(status, str) else None
            if owner is not None and _is_sound_file(owner, user):
                return known[0]
        return _look_below(*known, name)[0]


def _plain_split(path: str) -> tuple[str, str] | None:
    """Return a path's folder and its last part as ``os.path.split`` does, if the path is absolute and has no dots in it."""
    if path[:1] != "/" or "//" in path or "/." in path:
        return None
    folder, _, name = path.rpartition("/")
    return folder or "/", name


def _is_sound_file(owner: tuple[int, int, int], user: int) -> bool:
    mode = owner[2]
    return stat.S_ISREG(mode) and not mode & (stat.S_IWOTH | stat.S_IWGRP) and owner[0] in (0, user)


def _judged(folder: str, user: int) -> tuple[OwnerFacts, str]:
    facts, real = _look(folder, user)
    last = facts.components[-1].mode if facts.components else 0
    sound = not last & (stat.S_IWOTH | stat.S_IWGRP) and not ownership_findings(facts, folder, strict=True)
    return OwnerFacts(facts.components, user, facts.trouble, sound=sound), real


def _is_same(facts: OwnerFacts, user: int) -> bool:
    """Whether the components of a sound path are what they were: the same owners and modes, and no links."""
    if not facts.sound or facts.user != user:
        return False
    for one in facts.components:
        status = _lstat(one.path)
        if isinstance(status, str) or stat.S_ISLNK(one.mode):
            return False
        if (status.st_uid, status.st_gid, status.st_mode) != (one.owner, one.group, one.mode):
            return False
    return True


def _look(folder: str, user: int) -> tuple[OwnerFacts, str]:
    status = _lstat("/")
    if isinstance(status, str):
        return OwnerFacts((), user, ("/", status)), "/"
    facts, real = OwnerFacts(_with("/", (), status), user), "/"
    for name in folder.split("/"):
        if name:
            facts, real = _look_below(facts, real, name)
            if facts.trouble is not None:
                break
    return facts, real


def _look_below(above: OwnerFacts, folder: str, name: str) -> tuple[OwnerFacts, str]:
    """Add one entry of ``folder``, and what it leads to; return its real path too, as ``folder`` has to be one."""
    components, user = above.components, above.user
    # What is still to be walked, the next one last. A link puts what it leads to in its place.
    todo, at, links = [name], folder, 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            at = os.path.dirname(at)
            continue
        path = os.path.join(at, part)
        status = _lstat(path)
        if isinstance(status, str):
            return OwnerFacts(components, user, (path, status)), at
        components = _with(path, components, status)
        if not stat.S_ISLNK(status.st_mode):
            at = path
            continue
        links += 1
        target = _readlink(path)
        if target is None or links > _MAX_LINKS:
            return OwnerFacts(components, user, (path, "is a link that leads nowhere, or round in a circle")), at
        if target.startswith("/"):
            at = "/"
        todo += reversed(target.split("/"))
    return OwnerFacts(components, user), at


def _lstat(path: str) -> os.stat_result | str:
    try:
        return os.lstat(path)
    except (OSError, ValueError) as error:
        return reason_of(error)


def _readlink(path: str) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


def _with(path: str, above: tuple[Component, ...], status: os.stat_result) -> tuple[Component, ...]:
    mode = status.st_mode
    parent = os.path.dirname(path)
    kept = any(one.path == parent and _is_open_and_sticky(one.mode) for one in above)
    # Who is in the group of /tmp, or of a link, makes no difference, and takes a millisecond to find out.
    open_to_all = bool(mode & stat.S_IWOTH)
    shared = bool(mode & stat.S_IWGRP) and (open_to_all or _has_others(status.st_gid, status.st_uid))
    return (*above, Component(path, status.st_uid, status.st_gid, mode, kept=kept, shared=shared))


def _is_open_and_sticky(mode: int) -> bool:
    return bool(mode & stat.S_ISVTX) and bool(mode & (stat.S_IWOTH | stat.S_IWGRP))


def _has_others(group: int, owner: int) -> bool:
    """Whether anybody but ``owner`` is in a group.

    Distributions that give each user a group of its own also set a umask of 002: what only that group may write to is
    nobody else's. Debian's OpenSSH draws the same line. A group that is not known may have anybody in it.
    """
    known = _groups.get((group, owner))
    if known is None:
        known = _groups[group, owner] = _ask_for_others(group, owner)
    return known


_groups: dict[tuple[int, int], bool] = {}  # listing all users may ask a directory server


def _ask_for_others(group: int, owner: int) -> bool:
    if sys.platform == "win32":
        return True
    import grp  # not there on Windows
    import pwd

    try:
        name = pwd.getpwuid(owner).pw_name
        named = set(grp.getgrgid(group).gr_mem)
        primary = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == group}
    except (KeyError, OSError):
        return True
    members = named | primary
    return not members or members != {name}


# ----------------------------------------------------------------------------- facts to findings


def ownership_findings(facts: OwnerFacts, shown: str, *, strict: bool = False) -> tuple[Finding, ...]:
    """Hold the owners and modes of a path's components against what is sound; a pure function.

    ``T101``: others may write to it, an error. ``T102``: its group may, a warning. ``T103``: it belongs to somebody
    else, a warning. ``T104``: it could not be looked at, an error. All of them name the component and the command
    that mends it.

    Args:
        shown: The file as messages show it, in place of the last component's absolute path.
        strict: Whether warnings are errors, and a user's own group is like any other.
    """
    if facts.skipped is not None or facts.sound:
        return ()
    findings: list[Finding] = []
    last = facts.components[-1].path if facts.components and facts.trouble is None else None
    # A link may lead back over folders that were walked already.
    for one in {component.path: component for component in facts.components}.values():
        place = Place(shown if one.path == last else one.path)
        findings += _component_findings(one, _entries(facts.components, one.path), facts.user, place, strict=strict)
    if facts.trouble is not None:
        path, why = facts.trouble
        message = f"who owns it is not known: {why}"
        findings.append(Finding("T104", message, Place(path), hint=f"look at it: ls -ld {shell_word(path)}"))
    return tuple(findings)


def _entries(components: tuple[Component, ...], folder: str) -> tuple[Component, ...]:
    return tuple(one for one in components if one.path != folder and os.path.dirname(one.path) == folder)


def _component_findings(
    one: Component, entries: tuple[Component, ...], user: int, place: Place, *, strict: bool
) -> list[Finding]:
    findings = []
    path = shell_word(one.path)
    if not stat.S_ISLNK(one.mode):  # the mode of a link means nothing
        sound_entries = all(entry.owner in (0, user) for entry in entries)
        held = bool(one.mode & stat.S_ISVTX) and bool(entries) and sound_entries
        if one.mode & stat.S_IWOTH and not held:
            findings.append(_open_to_all(one, entries, user, place))
        elif one.mode & stat.S_IWGRP and not held and (strict or one.shared):
            message = f"{_kind(one.mode)} can be written to by the group {_group_name(one.group)}"
            hint = f"chmod g-w {path}"
            findings.append(Finding("T102", message, place, hint, severity="error" if strict else "warning"))
    if one.owner not in (0, user):
        replaces = "replace" if stat.S_ISLNK(one.mode) or one.kept else "change"
        expected = f"root or {_user_name(user)}" if user else "root"
        message = (
            f"{_kind(one.mode)} belongs to {_user_name(one.owner)}, who could {replaces} it; {expected} was expected"
        )
        hint = f"chown {'-h ' if stat.S_ISLNK(one.mode) else ''}{_plain_user(user)} {path}"
        findings.append(Finding("T103", message, place, hint, severity="error" if strict else "warning"))
    return findings


def _open_to_all(one: Component, entries: tuple[Component, ...], user: int, place: Place) -> Finding:
    if one.mode & stat.S_ISVTX and entries:
        foreign = next(entry for entry in entries if entry.owner not in (0, user))
        message = (
            f"all users can write to this folder, and {foreign.path!r} in it belongs to {_user_name(foreign.owner)}"
        )
        hint = f"chown -h {_plain_user(user)} {shell_word(foreign.path)}, or move it to a folder of your own"
        return Finding("T101", message, place, hint)
    message = f"{_kind(one.mode)} can be written to by all users"
    return Finding("T101", message, place, hint=f"chmod o-w {shell_word(one.path)}")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "this folder"
    return "this link" if stat.S_ISLNK(mode) else "this file"


def how_to_allow(path: str, rights: str) -> str:
    """Return what lets the user of this program use a path: a command where it is theirs, else whose it is."""
    try:
        owner = os.stat(path).st_uid
    except OSError:
        owner = -1  # it is in the way itself
    if sys.platform == "win32" or owner in (-1, os.geteuid()):
        return f"allow it: chmod u+{rights} {shell_word(path)}"
    return f"it belongs to {_plain_user(owner)!r}, who can allow it to {_plain_user(os.geteuid())!r}"


def _user_name(user: int) -> str:
    name = _plain_user(user)
    if name == str(user):
        # Containers run under numbers without a name, and show owners from outside as nobody.
        return f"the user {user}, who has no name here"
    return f"{name!r}" if user != 65534 else f"{name!r}, as which a container shows owners that it does not know"


def _plain_user(user: int) -> str:
    if sys.platform == "win32":
        return str(user)
    import pwd  # not there on Windows

    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _group_name(group: int) -> str:
    if sys.platform == "win32":
        return str(group)
    import grp  # not there on Windows

    try:
        return repr(grp.getgrgid(group).gr_name)
    except KeyError:
        return str(group)
