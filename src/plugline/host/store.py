"""Where it is kept which plugins are disabled: ``plugline.toml``, or a store of the host's own."""

import os

from plugline.files import read_source
from plugline.findings import Finding, Place, short_repr
from plugline.typed import Iterable, Mapping, Protocol, Sequence
from plugline.values import Value

KEY = "disabled"


class Store(Protocol):
    """Keeps the names of disabled plugins for a host: in its own settings, say.

    Both methods are called from one thread at a time for each host. What they raise passes to who called the host.
    """

    def disabled(self) -> Iterable[str]:
        """Return the names, those of plugins that are not there included. Called whenever the host looks at its places."""

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """Keep it; what :meth:`disabled` returns from now on says so. Not an error if it was so already."""


class Kept(Value):
    """What a store said.

    Attributes:
        names: Where each name stands, for messages.
        findings: What is wrong with the store.
        known: Whether it could be understood; if not, any plugin might be disabled.
    """

    __slots__ = ("findings", "known", "names")
    names: Mapping[str, Place | None]
    findings: tuple[Finding, ...]
    known: bool

    def __init__(
        self,
        names: Mapping[str, Place | None],
        findings: tuple[Finding, ...] = (),
        *,
        known: bool = True,
    ) -> None:
        self._set(names=names, findings=findings, known=known)


def look_into(store: Store) -> Kept:
    """Return what a store says now."""
    if isinstance(store, FileStore):
        return store.look()
    return Kept(dict.fromkeys(store.disabled()))


class MemoryStore:
    """Keeps names for as long as the process runs."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def disabled(self) -> Iterable[str]:
        """See :class:`Store`."""
        return tuple(self._names)

    def set_disabled(self, name: str, *, disabled: bool) -> None:
        """See :class:`Store`."""
        if disabled:
            self._names[name] = None
        else:
            self._names.pop(name, None)


class FileStore:
    """Keeps names under ``disabled`` in TOML files, whose other lines stay as they are.

    Args:
        paths: The files, which need not be there. A name counts in whichever it stands; a new one goes into the first.
    """

    __slots__ = ("paths",)

    def __init__(self, paths: Sequence[str]) -> None:
        self.paths = tuple(dict.fromkeys(paths))

    def __repr__(self) -> str:
        return f"FileStore({list(self.paths)!r})"

    def disabled(self) -> Iterable[str]:
        """See :class:`Store`."""
        return tuple(self.look().names)

    def look(self) -> Kept:
        """Read the files as they are now; one that is not there says nothing."""
        names: dict[str, Place | None] = {}
        findings: list[Finding] = []
        for path in self.paths:
            text = text_of(path)
            found = names_in(text, shown(path)) if isinstance(text, str) else text
            if isinstance(found, Finding):
                findings.append(found)
            elif found is not None:
                names |= dict.fromkeys(found[0], found[1])
        return Kept(names, tuple(findings), known=not findings)

    def set_disabled(self, name: str, *, disabled: bool, beside: str | None = None) -> None:
        """See :class:`Store`.

        Args:
            beside: The plugin's folder; the file beside it is taken where it is one of the store's.

        Raises:
            ConfigurationError: The file cannot be understood, or cannot be written.
        """
        folder = os.path.dirname(os.path.abspath(beside)) if beside is not None else None
        wanted = next((path for path in self.paths if os.path.dirname(path) == folder), self.paths[0])
        # Files are changed seldom, and that takes more modules than reading them.
        from plugline.host.edits import change_names

        if not disabled:
            for path in filter(os.path.lexists, self.paths):
                change_names(path, lambda names: [one for one in names if one != name])
        elif name not in self.look().names:
            change_names(wanted, lambda names: [*names, name])


def store_for(wanted: "Store | str | os.PathLike[str] | None", files: Sequence[str]) -> Store:
    """Return the store that a host asked for.

    Args:
        wanted: A store, or the path or name of a file, or ``None`` for what this host alone knows.
        files: The files that a path or name means; none where there is no folder that they could be beside.
    """
    if wanted is None or (isinstance(wanted, (str, os.PathLike)) and not files):
        return MemoryStore()
    return FileStore(files) if isinstance(wanted, (str, os.PathLike)) else wanted


def text_of(path: str) -> str | Finding | None:
    """Return what a file holds, ``None`` where there is none."""
    if not os.path.lexists(path):
        return None
    source = read_source(path)
    if isinstance(source, Finding):
        return unusable(path, source.message, None, source.hint)
    try:
        return source.content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return unusable(path, f"is not UTF-8: byte {source.content[error.start]:#04x} cannot be decoded")


def shown(path: str) -> str:
    """Return a path as messages show it: relative where it leads down from the working folder."""
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return path
    return path[len(here) :].lstrip(os.sep) if path.startswith(f"{here}{os.sep}") else path


def unusable(path: str, message: str, line: int | None = None, hint: str | None = None) -> Finding:
    """Return the finding for a file that cannot be used."""
    return Finding("P115", message, Place(shown(path), line), hint)


def names_in(text: str, path: str) -> tuple[list[str], Place] | Finding:
    """Return the names that a file disables, with their place; other keys are others' affair."""
    # tomllib costs an interpreter's start to import, and few hosts have such a file.
    import tomllib

    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said, _, rest = str(error).partition(" (at line ")
        digits = rest.partition(",")[0]
        # At the end of the text where it names no line.
        line = int(digits) if digits.isdigit() else text.count("\n") + 1
        return unusable(
            path,
            f"is not valid TOML: {said.removesuffix(' (at end of document)')}",
            line,
            f'expected was a line such as {KEY} = ["name"]',
        )
    names = data.get(KEY, [])
    place = Place(path, line_of(text, KEY))
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        message = f"{KEY!r} is {short_repr(names)}, a list of names of plugins was expected"
        return Finding("P115", message, place, hint=f'write it as {KEY} = ["name"]')
    return names, place


def line_of(text: str, key: str) -> int | None:
    """Return the line on which a key that stands alone has its value."""
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip().partition("=")[0].strip().strip("\"'") == key:
            return number
    return None
