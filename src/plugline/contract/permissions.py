"""A declared table to what a plugin may touch: one vocabulary for what is declared, granted and enforced.

The words are ``read``, ``write`` (paths), ``net``, ``run``, ``native``, ``dynamic`` (yes or no) and ``env`` (names).
A plugin's block declares them, the audit holds its code against them, the lock file keeps what was granted, and an
isolated worker is given their intersection with what the policy grants. ``native`` (code that is no Python) and
``dynamic`` (code made at run time) concern the audit only: a sandbox holds either just as well.
"""

import os

from plugline.findings import Finding, Place
from plugline.names import did_you_mean
from plugline.typed import Callable, Iterable, Iterator, Mapping
from plugline.values import Value

KEYS = ("read", "write", "net", "run", "env", "native", "dynamic")  # in the order in which they are written
_PATH_KEYS = ("read", "write")
_FLAG_KEYS = ("net", "run", "native", "dynamic")
ALL_NAMES = "*"  # of env: every variable


class Permissions(Value):
    """What may be touched; without arguments nothing.

    Paths are kept as the fewest that say the same, without a slash at the end, sorted. A path stands for itself and
    everything below it. A relative path is relative to the folder of the plugin's file, ``"."`` being that folder and
    ``"/"`` everything. They are compared as text: links are not followed here, and ``..`` is taken away together
    with what stands before it. Whoever enforces a path resolves it first.

    Permissions are ordered by :meth:`covers`: :meth:`union` is the least that covers two, :meth:`intersection` the
    most that two cover. Before they are resolved, a relative path and an absolute one other than ``"/"`` have nothing in
    common.

    Args:
        read: Paths that may be read.
        write: Paths that may be written. They may be read, too: hardly anything can be written without, a database
            or a temporary file say, and a sandbox cannot tell what a plugin wrote from what it found.
        net: Whether sockets may be opened.
        run: Whether programs may be started.
        env: Names of environment variables; ``"*"`` is all of them.
        native: Whether code that is no Python may be called, as by ``ctypes``.
        dynamic: Whether code may be made at run time, as by ``exec``.

    Raises:
        ValueError: A path or a name is empty or holds what neither can hold.
        TypeError: ``read``, ``write`` or ``env`` is a single string.
    """

    __slots__ = ("dynamic", "env", "native", "net", "read", "run", "write")
    read: tuple[str, ...]
    write: tuple[str, ...]
    net: bool
    run: bool
    env: tuple[str, ...]
    native: bool
    dynamic: bool

    def __init__(
        self,
        *,
        read: Iterable[str] = (),
        write: Iterable[str] = (),
        net: bool = False,
        run: bool = False,
        env: Iterable[str] = (),
        native: bool = False,
        dynamic: bool = False,
    ) -> None:
        for key, value in (("read", read), ("write", write), ("env", env)):
            if isinstance(value, str):
                raise TypeError(f"{key} is {value!r}, a list of strings was expected")
        self._set(
            read=_fewest(_checked_path(path) for path in read),
            write=_fewest(_checked_path(path) for path in write),
            net=bool(net),
            run=bool(run),
            env=_names(_checked_name(name) for name in env),
            native=bool(native),
            dynamic=bool(dynamic),
        )

    def __str__(self) -> str:
        """Return them as an inline table of TOML, of what is granted only: ``{ read = ["reference"], net = true }``."""
        parts = [f"{key} = {_toml(value)}" for key in KEYS if (value := getattr(self, key))]
        return f"{{ {', '.join(parts)} }}" if parts else "{}"

    def __bool__(self) -> bool:
        return any(getattr(self, key) for key in KEYS)

    def union(self, other: "Permissions") -> "Permissions":
        """Return what either grants."""
        return _combined(
            lambda key: (*getattr(self, key), *getattr(other, key)),
            lambda key: getattr(self, key) or getattr(other, key),
        )

    def intersection(self, other: "Permissions") -> "Permissions":
        """Return what both grant."""
        return _combined(
            lambda key: _shared(key, self, other),
            lambda key: getattr(self, key) and getattr(other, key),
        )

    def beyond(self, granted: "Permissions") -> "Permissions":
        """Return those that ``granted`` does not cover: what an update asks more, what a lock has to be asked for."""
        return _combined(
            lambda key: tuple(one for one in getattr(self, key) if not _allows(key, granted.granting(key), one)),
            lambda key: getattr(self, key) and not getattr(granted, key),
        )

    def allows_path(self, key: str, path: str) -> bool:
        """Whether one path may be read or written, as ``key`` says; compared as text."""
        try:
            return _allows(key, self.granting(key), _checked_path(path))
        except ValueError:
            return False

    def granting(self, key: str) -> tuple[str, ...]:
        """Return the paths or names by which something may be read or written, or is in ``env``."""
        return (*self.read, *self.write) if key == "read" else getattr(self, key)

    def resolved(self, folder: str) -> "Permissions":
        """Return them with absolute paths, links followed as they lead now.

        Args:
            folder: What relative paths are relative to: that of the plugin's file.
        """
        return _combined(
            lambda key: [
                os.path.realpath(os.path.join(folder, one)) if key in _PATH_KEYS else one for one in getattr(self, key)
            ],
            lambda key: getattr(self, key),
        )

    def to_data(self) -> dict[str, object]:
        """Return what is granted, for JSON and TOML."""
        data = {key: getattr(self, key) for key in KEYS if getattr(self, key)}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in data.items()}

    def in_words(self) -> str:
        """Return what is granted for a sentence: ``net, read of 'reference'``."""
        parts = [key for key in _FLAG_KEYS if getattr(self, key)]
        for key in (*_PATH_KEYS, "env"):
            parts += [f"{key} of {value!r}" for value in getattr(self, key)]
        return ", ".join(parts) if parts else "nothing"


def _combined(
    several: Callable[[str], Iterable[str]],
    flag: Callable[[str], bool],
) -> Permissions:
    return Permissions(
        read=several("read"),
        write=several("write"),
        net=flag("net"),
        run=flag("run"),
        env=several("env"),
        native=flag("native"),
        dynamic=flag("dynamic"),
    )


# ----------------------------------------------------------------------------- paths and names


def _checked_path(path: str) -> str:
    """Return a path in its one spelling.

    Raises:
        ValueError: It is empty, or holds a NUL or half a character.
    """
    if not path or not _is_text(path):
        raise ValueError(f"{path!r} is no path: text without NUL was expected")
    climbs, parts = 0, list[str]()
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
        else:
            climbs += 1
    if path.startswith("/"):
        return "/" + "/".join(parts)  # above the root is the root
    return "/".join([".."] * climbs + parts) or "."


def _is_text(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")  # a folder may have a name that is no UTF-8
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _checked_name(name: str) -> str:
    if not name or "=" in name or not _is_text(name):
        raise ValueError(f"{name!r} is no name of an environment variable")
    return name


def is_sayable(key: str, value: str) -> bool:
    """Whether ``read``, ``write`` or ``env`` could hold this path or name."""
    try:
        _checked_name(value) if key == "env" else _checked_path(value)
    except ValueError:
        return False
    return True


def _path_covers(outer: str, inner: str) -> bool:
    """Whether ``inner`` is ``outer`` or below it, both in their one spelling."""
    if outer == "/":
        return True  # relative paths too: wherever they lead, it is below the root
    if outer.startswith("/") or inner.startswith("/"):
        return outer == inner or (outer.startswith("/") and inner.startswith(f"{outer}/"))
    outer_climbs, outer_rest = _split_climbs(outer)
    inner_climbs, inner_rest = _split_climbs(inner)
    if not outer_rest:
        return inner_climbs <= outer_climbs
    return outer_climbs == inner_climbs and inner_rest[: len(outer_rest)] == outer_rest


def _split_climbs(path: str) -> tuple[int, list[str]]:
    parts = [part for part in path.split("/") if part != "."]
    climbs = parts.count("..")
    return climbs, parts[climbs:]


def _fewest(paths: Iterable[str]) -> tuple[str, ...]:
    unique = sorted(set(paths))
    return tuple(one for one in unique if not any(other != one and _path_covers(other, one) for other in unique))


def _names(names: Iterable[str]) -> tuple[str, ...]:
    unique = sorted(set(names))
    return (ALL_NAMES,) if ALL_NAMES in unique else tuple(unique)


def _allows(key: str, granted: tuple[str, ...], one: str) -> bool:
    if key == "env":
        return one in granted or ALL_NAMES in granted
    return any(_path_covers(path, one) for path in granted)


def _shared(key: str, first: Permissions, second: Permissions) -> Iterator[str]:
    for one, other in ((first, second), (second, first)):
        yield from (path for path in getattr(one, key) if _allows(key, other.granting(key), path))
        if key == "read":
            # What one may write and the other only read, both may read. What both may write needs no word of it.
            writable = [path for path in one.write if not _allows("write", other.write, path)]
            yield from (path for path in writable if _allows("read", other.read, path))


# ----------------------------------------------------------------------------- text


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return toml_string(str(value))


def toml_string(text: str) -> str:
    """Return a basic string of TOML: control characters escaped, so that it stays on its line."""
    escaped = "".join(_escape(character) for character in text)
    return f'"{escaped}"'


def _escape(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def parse_permissions(declared: object, place: Place) -> tuple[Permissions, tuple[Finding, ...]]:
    """Return the permissions of a ``permissions`` table, and everything that is wrong with it (``T401``).

    What is wrong grants nothing.
    """
    if not isinstance(declared, Mapping):
        message = f"permissions is {declared!r}, a table was expected"
        hint = 'for example: permissions = { read = ["reference/"], net = true }'
        return NOTHING, (Finding("T401", message, place, hint=hint),)
    findings: list[Finding] = []
    paths: dict[str, tuple[str, ...]] = {}
    flags: dict[str, bool] = {}
    for key, value in declared.items():
        if key in _FLAG_KEYS:
            if isinstance(value, bool):
                flags[key] = value
            else:
                message = f"{key} of permissions is {value!r}, true or false was expected"
                why = f"write {key} = true, or leave it out"
                why += "; single hosts cannot be granted" if key == "net" else ""
                findings.append(Finding("T401", message, place, hint=why))
        elif key in (*_PATH_KEYS, "env"):
            paths[key], wrong = _strings(key, value, place)
            findings += wrong
        else:
            hint = did_you_mean(str(key), KEYS, kind="permissions")
            findings.append(Finding("T401", f"unknown permission {key!r}", place, hint=hint))
    permissions = Permissions(
        read=paths.get("read", ()),
        write=paths.get("write", ()),
        net=flags.get("net", False),
        run=flags.get("run", False),
        env=paths.get("env", ()),
        native=flags.get("native", False),
        dynamic=flags.get("dynamic", False),
    )
    return permissions, tuple(findings)


def _strings(key: str, value: object, place: Place) -> tuple[tuple[str, ...], list[Finding]]:
    if value is False:
        return (), []  # as plain a way to say "none" as an empty list
    what = "names" if key == "env" else "paths"
    if not isinstance(value, list):
        message = f"{key} of permissions is {value!r}, a list of {what} was expected"
        example = '["HOME"]' if key == "env" else '["reference/"]'
        hint = f"for example: {key} = {example}"
        if value is True:
            everything = '["*"]' if key == "env" else '["/"]'
            hint += f"; {key} = {everything} is everything"
        return (), [Finding("T401", message, place, hint=hint)]
    checked, findings = [], []
    for item in value:
        if not isinstance(item, str):
            findings.append(Finding("T401", f"{key} of permissions holds {item!r}, a string was expected", place))
            continue
        try:
            checked.append(_checked_name(item) if key == "env" else _checked_path(item))
        except ValueError as error:
            findings.append(Finding("T401", f"{key} of permissions: {error}", place))
    return tuple(checked), findings


NOTHING = Permissions()
