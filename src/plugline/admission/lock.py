"""``plugline.lock`` to which plugins are trusted with what, and back.

The file is TOML that people read and compare: one table a plugin, sorted by name, then the digests of the other
files that plugins import. Equal locks have equal text, whoever wrote them. ``plugline trust`` writes it; the edit of
a hand is a change of what is trusted, which is what the owner of the file may do.
"""

import os

from plugline.admission import LOCK_NAME
from plugline.contract.permissions import NOTHING, Permissions, parse_permissions, toml_string
from plugline.discovery.known import PluginSpec
from plugline.files import SourceFile, read_source, relative_path
from plugline.findings import Finding, Place
from plugline.names import composed, shell_word
from plugline.typed import Iterator, Mapping
from plugline.values import Value

_FORMAT = 1
_MAX_BYTES = 64 * 2**20  # a hundred thousand plugins
_DIGEST_CHARACTERS = 64
_BEGINNING = f"""\
# The plugins that are trusted, and what they may do. "plugline trust" writes this file: keep it under version control.
format = {_FORMAT}
"""


class Locked(Value):
    """What was trusted of one plugin.

    Attributes:
        file: Its file, relative to the lock's folder, with ``/``; for people, nothing is held against it.
        version: Its version then; for people too.
    """

    __slots__ = ("digest", "file", "permissions", "version")
    file: str
    version: str | None
    digest: str
    permissions: Permissions

    def __init__(self, file: str, version: str | None, digest: str, permissions: Permissions = NOTHING) -> None:
        self._set(
            file=_writable(composed(file)),
            version=_writable(version) if version is not None else None,
            digest=digest,
            permissions=permissions,
        )


class Lock(Value):
    """What is trusted.

    Attributes:
        plugins: By the name of the plugin; by its file where another folder beside the lock has one of that name.
        files: Digests of the other files that plugins import, helpers and submodules of packages, by path relative
            to the lock's folder, with ``/``.
    """

    __slots__ = ("files", "path", "plugins")
    path: str
    plugins: Mapping[str, Locked]
    files: Mapping[str, str]

    def __init__(
        self, path: str, plugins: Mapping[str, Locked] | None = None, files: Mapping[str, str] | None = None
    ) -> None:
        self._set(
            path=path,
            plugins={name: (plugins or {})[name] for name in sorted(plugins or {})},
            files={name: (files or {})[name] for name in sorted(files or {})},
        )

    def __hash__(self) -> int:
        return hash((self.path, tuple(self.plugins.items()), tuple(self.files.items())))

    def find(self, name: str, path: str | None) -> Locked | None:
        """Return what was trusted of a plugin.

        Args:
            path: Its file; ``None`` where that is not known.
        """
        if path is None:
            return self.plugins.get(name)
        file = self.relative(path)
        own = self.plugins.get(file) or self.plugins.get(name)
        if own is None and file in self.files:
            # Below a folder that is trusted: whether plugins are looked for there is each host's to say.
            own = Locked(file, None, self.files[file])
        return own or next((one for one in self.plugins.values() if one.file == file), None)

    def relative(self, path: str) -> str:
        """Return the path of a file as ``files`` has it."""
        folder = os.path.dirname(os.path.abspath(self.path))
        # Composed, so that a lock holds for the same files from another system, which may spell their names otherwise.
        return _writable(composed(relative_path(os.path.abspath(path), folder).replace(os.sep, "/")))


def _writable(text: str) -> str:
    """Return text that UTF-8 can hold: half a character, as a file name may have, is shown by its number."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# ----------------------------------------------------------------------------- text


def lock_text(lock: Lock) -> str:
    """Return a lock as its file holds it."""
    lines = [_BEGINNING]
    for name, locked in lock.plugins.items():
        lines.append(f"[plugins.{toml_string(name)}]")
        lines.append(f"file = {toml_string(locked.file)}")
        if locked.version is not None:
            lines.append(f"version = {toml_string(locked.version)}")
        lines.append(f"digest = {toml_string(locked.digest)}")
        lines.append(f"permissions = {locked.permissions}\n")
    if lock.files:
        lines.append("[files]")
        lines += [f"{toml_string(path)} = {toml_string(digest)}" for path, digest in lock.files.items()]
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def read_lock(path: str, *, folder: str | None = None) -> Lock | None | tuple[Finding, ...]:
    """Return the lock in a file, ``None`` where there is none, or everything that is wrong with it (``T305``).

    Args:
        folder: A plugin folder that it is for, so that hints name it.
    """
    if not os.path.lexists(path):
        return None
    source = read_source(path, max_bytes=_MAX_BYTES)
    if isinstance(source, Finding):
        hint = source.hint if source.code == "P101" and source.hint else f"move it away, then: {_command(folder)}"
        return (Finding("T305", f"the lock file {source.message}", Place(path), hint),)
    return parse_lock(source.content, path, folder=folder)


def parse_lock(content: bytes, path: str, *, folder: str | None = None) -> Lock | tuple[Finding, ...]:
    """Return what the bytes of a lock file say, or everything that is wrong with them (``T305``)."""
    # tomllib costs an interpreter's start to import, and few hosts have a lock.
    import tomllib

    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        place = Place(path, before.count(b"\n") + 1, len(before) - (before.rfind(b"\n") + 1) + 1)
        return (_broken(f"byte {content[error.start]:#04x} is not UTF-8", place, folder),)
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        said = str(error) if isinstance(error, ValueError) else "is nested too deeply"
        mark = next((at for at, line in enumerate(text.split("\n"), 1) if line.startswith(_CONFLICT)), None)
        if mark is not None:
            hint = f"look at what differs: {_command(folder)} --diff; then write it anew: {_command(folder)}"
            message = "the lock file cannot be used: two versions of it were merged, and the conflict is not settled"
            return (Finding("T305", message, Place(path, mark, 1), hint=hint),)
        place = Place(path, *_position(said, text))
        return (_broken(f"not valid TOML: {said.partition(' (at ')[0]}", place, folder),)
    return _Reader(data, text, path, folder).lock()


_CONFLICT = ("<<<<<<< ", ">>>>>>> ")  # as git and most others mark what they could not merge


def _command(folder: str | None) -> str:
    return _trust_command(folder) if folder is not None else "plugline trust"


def _broken(message: str, place: Place, folder: str | None) -> Finding:
    hint = f"put back the last version of the file, or write it anew: {_command(folder)}"
    return Finding("T305", f"the lock file cannot be used: {message}", place, hint=hint)


_NEWER = "upgrade plugline; to go on with this version, "


def is_of_newer(finding: Finding) -> bool:
    """Whether a finding says that a lock was written by a later plugline: it is whole, and not to be replaced."""
    return finding.code == "T305" and (finding.hint or "").startswith(_NEWER)


def _position(said: str, text: str) -> tuple[int, int]:
    """Return what tomllib says in ``… (at line 3, column 1)``; its errors have no attributes before 3.14."""
    _, found, rest = said.partition("(at line ")
    line, _, column = rest.rstrip(")").partition(", column ")
    if found and line.isdigit() and column.isdigit():
        return int(line), int(column)
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


class _Reader:
    """Checks the shape of a lock that is TOML, and gives what is wrong its place."""

    def __init__(self, data: Mapping[str, object], text: str, path: str, folder: str | None) -> None:
        self._data = data
        self._lines = text.split("\n")
        self._path = path
        self._folder = folder
        self._findings: list[Finding] = []

    def lock(self) -> Lock | tuple[Finding, ...]:
        version = self._data.get("format")
        if version != _FORMAT:
            message = f"format is {version!r}, {_FORMAT} was expected"
            place = self._place((), "format")
            if isinstance(version, int) and version > _FORMAT:
                newer = f"the lock file cannot be used: {message}: a later plugline wrote it"
                return (Finding("T305", newer, place, f"{_NEWER}move the file away, then: {_command(self._folder)}"),)
            return (_broken(message, place, self._folder),)
        for key in self._data.keys() - {"format", "plugins", "files"}:
            self._wrong(f"unknown key {key!r}", (), key)
        plugins = {composed(name): self._locked(name, table) for name, table in self._table("plugins").items()}
        files = {composed(name): self._digest(("files",), name, value) for name, value in self._table("files").items()}
        self._findings.sort(key=lambda finding: (finding.place.line or 0, finding.place.column or 0))
        return tuple(self._findings) or Lock(self._path, plugins, files)

    def _table(self, key: str) -> Mapping[str, object]:
        table = self._data.get(key, {})
        if isinstance(table, dict):
            return table
        self._wrong(f"{key} is {table!r}, a table was expected", (), key)
        return {}

    def _locked(self, name: str, table: object) -> Locked:
        header = ("plugins", name)
        if not isinstance(table, dict):
            self._wrong(f"plugin {name!r} is {table!r}, a table was expected", ("plugins",), name)
            table = {"file": "", "digest": "0" * _DIGEST_CHARACTERS}
        for key in sorted(table.keys() - {"file", "version", "digest", "permissions"}):
            self._wrong(f"unknown key {key!r} of plugin {name!r}", header, key)
        for key in ("file", "version"):
            if not isinstance(table.get(key, ""), str):
                self._wrong(f"{key} of plugin {name!r} is {table[key]!r}, a string was expected", header, key)
        permissions, wrong = parse_permissions(table.get("permissions", {}), Place(self._path))
        for one in wrong:  # a place is looked for line by line, so only where one is told
            self._wrong(f"plugin {name!r}: {one.message}", header, "permissions")
        version = table.get("version")
        return Locked(
            str(table.get("file", "")),
            str(version) if version is not None else None,
            self._digest(header, "digest", table.get("digest")),
            permissions,
        )

    def _digest(self, header: tuple[str, ...], key: str, value: object) -> str:
        if isinstance(value, str) and len(value) == _DIGEST_CHARACTERS and set(value) <= _HEXADECIMAL:
            return value
        message = (
            f"{key} in [{'.'.join(header)}] is {value!r:.80}, {_DIGEST_CHARACTERS} hexadecimal digits were expected"
        )
        self._wrong(message, header, key)
        return ""

    def _wrong(self, message: str, header: tuple[str, ...], key: str) -> None:
        self._findings.append(_broken(message, self._place(header, key), self._folder))

    def _place(self, header: tuple[str, ...], key: str) -> Place:
        """Return where a key stands, else its table; a lock that was written by hand may spell either in other ways."""
        begin = 0
        if header:
            wanted = {_spelt(header, quoted=True), _spelt(header, quoted=False)}
            begin = next((at + 1 for at, line in enumerate(self._lines) if line.split("#")[0].strip() in wanted), 0)
        for number, column, found in self._keys(begin):
            if found in (key, toml_string(key)):
                return Place(self._path, number, column)
        return Place(self._path, begin or 1, 1)

    def _keys(self, begin: int) -> Iterator[tuple[int, int, str]]:
        for at, line in enumerate(self._lines[begin:], begin + 1):
            if line.lstrip().startswith("["):
                return
            yield at, len(line) - len(line.lstrip()) + 1, line.partition("=")[0].strip()


_HEXADECIMAL = frozenset("0123456789abcdef")


def _spelt(header: tuple[str, ...], *, quoted: bool) -> str:
    first, *rest = header
    return f"[{'.'.join([first, *(toml_string(part) if quoted else part for part in rest)])}]"


def write_lock(lock: Lock) -> None:
    """Put a lock in its file, all at once.

    A path that is a link keeps being one: what it leads to is replaced. The file's mode stays what it was, else it
    is readable for all and writable for its owner alone, whatever the umask.

    Raises:
        OSError: It cannot be written; the old file is as it was.
    """
    from plugline.replacing import replace_file  # where a lock is written

    real = os.path.realpath(lock.path)
    replace_file(real, lock_text(lock).encode(), _mode_of(real))


def _mode_of(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o755
    except OSError:
        return 0o644


# ----------------------------------------------------------------------------- holding plugins against it


def locked_findings(
    lock: Lock,
    spec: PluginSpec,
    digest: str,
    declared: Permissions,
    path: str | None = None,
    content: bytes = b"",
) -> tuple[Finding, ...]:
    """Hold a plugin against the lock; a pure function.

    ``T301``: it is not in it. ``T302``: its file is another than the one that was trusted. ``T304``: it asks for
    permissions that were not granted.

    Args:
        digest: Of the bytes that are to be run.
        declared: What those bytes ask for.
        path: Its absolute path, where it is known.
        content: Those bytes, to tell what changed.
    """
    place = spec.place
    trust = _trust_command(place.path, lock, path)
    locked = lock.find(spec.name, path)
    if locked is None:
        message = f"plugin {spec.name!r} is not in {lock.path}"
        asks = f", which asks for {declared.in_words()}" if declared else ""
        return (Finding("T301", message, place, hint=f"read it{asks}, then: {trust}"),)
    more = declared.beyond(locked.permissions)
    if digest != locked.digest and _has_other_line_ends(content, locked.digest):
        message = f"plugin {spec.name!r} is not what was trusted in {lock.path}: the ends of its lines have changed"
        return (Finding("T302", message, place, hint=f"{_LINE_ENDS}, or trust it as it is: {trust}"),)
    if digest != locked.digest:
        versions = _versions(locked.version, spec.version)
        message = f"plugin {spec.name!r} is not what was trusted in {lock.path}: its file has changed{versions}"
        asks = f", and asks for more: {more.in_words()}" if more else ""
        return (Finding("T302", message + asks, place, hint=f"see what is new: {trust} --diff; then: {trust}"),)
    if more:
        message = f"plugin {spec.name!r} asks for {more.in_words()}, which {lock.path} does not grant"
        return (Finding("T304", message, place, hint=f"grant it: {trust}; or take it out of its permissions"),)
    return ()


# As git does on Windows.
_LINE_ENDS = "let nobody change them: *.py -text in .gitattributes, and check the file out again"


def _has_other_line_ends(content: bytes, digest: str) -> bool:
    plain = content.replace(b"\r\n", b"\n")
    return any(SourceFile("", one).digest == digest for one in (plain, plain.replace(b"\n", b"\r\n")))


def locked_file_findings(lock: Lock, path: str, source: SourceFile) -> tuple[Finding, ...]:
    """Hold a file that a plugin imports against the lock (``T303``): a helper, or another plugin.

    Args:
        path: Its absolute path.
    """
    relative = lock.relative(path)
    digest = lock.files.get(relative)
    if digest is None:
        digest = next((one.digest for one in lock.plugins.values() if one.file == relative), None)
    if digest is not None and digest == source.digest:
        return ()
    why = "is not in" if digest is None else "is not what was trusted in"
    hint = f"read it, then: {_trust_command(os.path.dirname(source.path) or '.', lock, os.path.dirname(path))}"
    if digest is not None and _has_other_line_ends(source.content, digest):
        hint = f"only the ends of its lines have changed; {_LINE_ENDS}"
    return (Finding("T303", f"this file, which a plugin imports, {why} {lock.path}", Place(source.path), hint=hint),)


def _trust_command(shown: str, lock: Lock | None = None, path: str | None = None) -> str:
    """Return the command that trusts what is shown so and has this path, in ``lock`` where it would go into another."""
    if os.path.basename(shown) == "__init__.py":
        shown, path = os.path.dirname(shown), path and os.path.dirname(path)
    option = ""
    if lock is not None and path is not None:
        is_plain = os.path.isdir(path) and not os.path.exists(os.path.join(path, "__init__.py"))
        folder = path if is_plain else os.path.dirname(path)
        if os.path.join(os.path.dirname(folder), LOCK_NAME) != os.path.abspath(lock.path):
            option = f"--lock {shell_word(lock.path)} "
    return f"plugline trust {option}{shell_word(shown)}"


def _versions(old: str | None, new: str | None) -> str:
    return f" (version {old} was trusted, this is {new})" if old != new and old and new else ""


# ----------------------------------------------------------------------------- comparing


class Change(Value):
    """What two locks say of one plugin.

    Attributes:
        old: What was trusted, ``None`` for one that is new.
        new: What would be, ``None`` for one that is gone.
    """

    __slots__ = ("name", "new", "old")
    name: str
    old: Locked | None
    new: Locked | None

    def __init__(self, name: str, old: Locked | None, new: Locked | None) -> None:
        self._set(name=name, old=old, new=new)

    @property
    def kind(self) -> str:
        """``"added"``, ``"removed"`` or ``"changed"``."""
        return "added" if self.old is None else "removed" if self.new is None else "changed"

    @property
    def more(self) -> Permissions:
        """What it asks for that was not granted."""
        return _permissions(self.new).beyond(_permissions(self.old))

    @property
    def fewer(self) -> Permissions:
        """What was granted and it no longer asks for."""
        return _permissions(self.old).beyond(_permissions(self.new))

    def __str__(self) -> str:
        """Return it as people read it: a line, and one more for permissions each way."""
        mark = {"added": "+", "removed": "-", "changed": "~"}[self.kind]
        one = self.new or self.old
        lines = [f"{mark} {self.name} ({self._what()}) {one.file if one is not None else ''}".rstrip()]
        if self.kind != "removed":
            lines += [f"    asks for {'more: ' if self.old else ''}{self.more.in_words()}"] if self.more else []
            lines += [f"    no longer asks for {self.fewer.in_words()}"] if self.fewer else []
        return "\n".join(lines)

    def _what(self) -> str:
        if self.old is None or self.new is None:
            known = self.new or self.old
            version = f" {known.version}" if known is not None and known.version is not None else ""
            return ("new" if self.old is None else "gone") + version
        what = ["changed"] if self.old.digest != self.new.digest else []
        if self.old.version != self.new.version:
            what.append(f"version {self.old.version or 'none'} to {self.new.version or 'none'}")
        if self.old.file != self.new.file:
            what.append(f"was {self.old.file}")
        if not what:
            what.append("other permissions" if self.more or self.fewer else "the same")
        return ", ".join(what)


class LockDiff(Value):
    """What differs between two locks.

    Attributes:
        plugins: By name, those that differ.
        files: Path, old and new digest of the other files that differ; ``None`` where there is none.
    """

    __slots__ = ("files", "plugins")
    plugins: tuple[Change, ...]
    files: tuple[tuple[str, str | None, str | None], ...]

    def __init__(
        self, plugins: tuple[Change, ...] = (), files: tuple[tuple[str, str | None, str | None], ...] = ()
    ) -> None:
        self._set(plugins=plugins, files=files)

    def __bool__(self) -> bool:
        return bool(self.plugins or self.files)

    def __str__(self) -> str:
        """Return it as people read it; empty where nothing differs."""
        lines = [str(change) for change in self.plugins]
        for path, old, new in self.files:
            mark, what = ("+", "new") if old is None else ("-", "gone") if new is None else ("~", "changed")
            lines.append(f"{mark} {path} ({what}, imported by plugins)")
        return "\n".join(lines)


def diff_locks(old: Lock | None, new: Lock) -> LockDiff:
    """Return what differs; no old lock is an empty one."""
    before = old if old is not None else Lock(new.path)
    plugins = tuple(
        Change(name, before.plugins.get(name), new.plugins.get(name))
        for name in sorted({*before.plugins, *new.plugins})
        if before.plugins.get(name) != new.plugins.get(name)
    )
    files = tuple(
        (path, before.files.get(path), new.files.get(path))
        for path in sorted({*before.files, *new.files})
        if before.files.get(path) != new.files.get(path)
    )
    return LockDiff(plugins, files)


def _permissions(locked: Locked | None) -> Permissions:
    return locked.permissions if locked is not None else NOTHING
