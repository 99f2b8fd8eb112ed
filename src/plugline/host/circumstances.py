"""What decides which plugins of a folder a host accepts, besides the plugins, to a text.

While the text and a plugin's file are the same, so is what the host makes of it, and a listing need not ask again. The text is
made by every listing from what is on disk then: who owns the folders on the way, and what the lock file holds. Light to import:
what judges (:mod:`plugline.admission.policy`) is imported where something is to be judged.
"""

import os
import stat
import sys

from plugline.typed import TYPE_CHECKING, Sequence

if TYPE_CHECKING:
    from plugline.admission.policy import Admitting, Gate
    from plugline.contract.interface import Interface
    from plugline.discovery.known import Outline

_DEFAULTS = (False, "plugline.lock", "off", "None")
"""What :class:`plugline.Policy` has without arguments."""


class Circumstances:
    """What decides which plugins a host accepts, besides the plugins.

    Args:
        interface: What they must provide, as the host wrote it down.
        policy: Who may be loaded; ``None`` for the usual one.

    Attributes:
        read_seconds: How long files took to read that were, by the numbers of their finders and their paths.
        api_problems: What was wrong with API versions that plugins required: most of a host's require the same.

    Raises:
        TypeError: The interface is none.
    """

    __slots__ = ("_gate", "_interfaces", "_names", "_text", "api_problems", "api_version", "policy", "read_seconds")

    def __init__(self, interface: object, api_version: str | None, policy: "Admitting | None" = None) -> None:
        self._interfaces: Sequence[Interface] | None = None
        self._names: tuple[str, ...] | None = None
        if interface is None:
            self._names = ()
        elif (
            isinstance(interface, (list, tuple))
            and interface
            and all(isinstance(one, str) and one.isidentifier() for one in interface)
        ):
            self._names = tuple(interface)  # a listing need not know what they ask of a plugin
        else:
            self._interfaces = _interfaces_of(interface)
        self.api_version = api_version
        self.policy = policy
        self.api_problems: dict[str, str | None] = {}
        self.read_seconds: dict[tuple[int, str], float] = {}
        self._gate: Gate | None = None
        self._text = ""

    @property
    def interfaces(self) -> "Sequence[Interface]":
        """What plugins must provide."""
        if self._interfaces is None:
            self._interfaces = _interfaces_of(self._names or None)
        return self._interfaces

    @property
    def gate(self) -> "Gate":
        """What asks the policy."""
        if self._gate is None:
            # A listing of which all is remembered asks nobody.
            from plugline.admission.policy import Gate, Policy

            self._gate = Gate(self.policy if self.policy is not None else Policy())
        return self._gate

    def renew(self) -> None:
        """Look at folders and lock files again: before each listing, and before each load."""
        if self._gate is not None:
            self._gate.renew()

    def fits_plainly(self, outline: "Outline") -> bool:
        """Whether an outline proves that a dropped file provides what is asked for; ``False`` says nothing."""
        from plugline.discovery.outline import has_functions, outline_fits  # it was imported to make one

        if self._interfaces is None and self._names is not None:
            return has_functions(outline, self._names)
        return outline_fits(outline, self.interfaces)

    @property
    def has_own_policy(self) -> bool:
        """Whether the policy is a program's own, which is asked before anything is run, whatever is remembered of it."""
        return self.policy is not None and not _is_ours(self.policy)

    def reads_code(self, folder: str) -> bool:
        """Whether what the policy says of a file in a folder may depend on its code, and not only on who may write to it.

        For a file that declares no permissions.
        """
        settings = _settings(self.policy)
        # What stands in a lock is held against digests, and an audit looks for what is touched.
        return (
            settings is None
            or settings[2] != "off"
            or (settings[1] is not None and os.path.lexists(_lock_path(settings[1], folder)))
        )

    def text(self, folder: str) -> str | None:
        """Return what is the same wherever the same plugins of a folder are accepted; ``None`` where nothing is."""
        admission = _of_policy(self.policy, folder)
        return self.asked + admission if admission is not None else None

    @property
    def asked(self) -> str:
        """What is the same wherever the same is asked of a plugin, whoever may be loaded."""
        if not self._text:
            asked = self._names if self._names is not None else tuple(self.interfaces)
            self._text = repr((asked, self.api_version, sys.version_info[:3]))
        return self._text


def _interfaces_of(interface: object) -> "tuple[Interface, ...]":
    from plugline.contract.interface import interfaces_of  # see where the names are kept

    return interfaces_of(interface)


def _of_policy(policy: object, folder: str) -> str | None:
    """Return the text, or ``None`` where there is none: a policy of a program's own may decide by anything, unless it says not.

    Args:
        policy: The host's; ``None`` for the one that hosts have by default.
        folder: The absolute path of the plugin folder.
    """
    settings = _settings(policy)
    geteuid = getattr(os, "geteuid", None)
    if settings is None or geteuid is None:
        return None  # Windows keeps who may write to a folder in lists that are not looked at
    user: int = geteuid()
    owners = _plain_owners(folder)
    lock = _lock(_lock_path(settings[1], folder)) if settings[1] is not None else ""
    return repr((settings, user, owners if owners is not None else _owners(folder), lock))


def _settings(policy: object) -> tuple[bool, str | None, str, str] | None:
    if policy is None:
        return _DEFAULTS
    if not _is_ours(policy):
        said = getattr(policy, "remembered_as", None)
        if not isinstance(said, str):
            return None
        kind = type(policy)
        return (
            getattr(policy, "strict", False),
            getattr(policy, "lock", None),
            f"{kind.__module__}.{kind.__qualname__}",
            said,
        )
    found = [getattr(policy, name) for name in ("strict", "lock", "audit", "grant")]
    return found[0], found[1], found[2], str(found[3])


def _is_ours(policy: object) -> bool:
    # Who has made one has imported it.
    return type(policy) is getattr(sys.modules.get("plugline.admission.policy"), "Policy", None)


def _lock_path(lock: str, folder: str) -> str:
    # As lock_path of the policy, for a folder whose path is absolute.
    return f"{folder[: folder.rfind('/') + 1]}{lock}" if "/" not in lock else os.path.abspath(lock)


def _plain_owners(folder: str) -> tuple[tuple[int, int, int], ...] | None:
    """Return user, group and mode of each component; ``None`` where that is not all: for links, and for shared groups."""
    owners = []
    end = 0
    while end >= 0:
        end = folder.find("/", end + 1)
        try:
            status = os.lstat(folder[:end] if end >= 0 else folder)
        except (OSError, ValueError):
            return None
        mode = status.st_mode
        if stat.S_ISLNK(mode) or mode & (stat.S_IWGRP | stat.S_IWOTH) == stat.S_IWGRP:
            return None
        owners.append((status.st_uid, status.st_gid, mode))
    return tuple(owners)


def _owners(path: str) -> str:
    # Links, and who else is in a group: looked at in full, where that has to be.
    from plugline.admission.ownership import Owners

    return repr(Owners().look(path))


def _lock(path: str) -> str:
    """Return what the lock file holds and who owns it; empty where there is none."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return ""
    except (OSError, ValueError) as error:
        return repr(error)
    from plugline.admission.ownership import Owners  # few folders have a lock
    from plugline.files import read_source

    source = read_source(path, max_bytes=_MAX_BYTES)
    return repr((Owners().look(path), getattr(source, "digest", None) or source))


_MAX_BYTES = 64 * 2**20  # as for reading it
