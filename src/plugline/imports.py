"""Modules and objects by dotted names that are known only at run time.

A module that is known when the code is written is imported by a plain statement, which is clearer
and a little faster. These functions are for names that come from a configuration.
"""

import sys
from importlib import import_module as _import_module
from typing import NamedTuple

from plugline.errors import ModuleMissing, NameMissing
from plugline.lookup import find_module
from plugline.names import nearest
from plugline.typed import ModuleType


def import_object(name: str, *, package: str | None = None) -> object:
    """Return the module or object that ``name`` says: ``"json"``, ``"os.path"``, ``"json.decoder:JSONDecoder"``.

    Without a colon the longest part that is a module is imported and the rest is looked up in it, so
    ``"collections.OrderedDict"`` works too. A colon says where the module ends.

    Args:
        name: A dotted name; with leading dots it is relative to ``package``.
        package: The package that a relative name starts from.

    Raises:
        ModuleMissing: There is no such module; names what was looked for and what is near.
        NameMissing: The module has no such name.
        ValueError: The name is not a dotted name, or is relative and ``package`` is missing.

    An exception that an imported module raises itself, an ``ImportError`` of something *it* needs
    included, passes unchanged.
    """
    absolute = _absolute(name, package)
    module_name, colon, attributes = absolute.partition(":")
    if colon:
        module: object = _import_named(module_name)
        return _attributes(module, module_name, attributes)
    parts = absolute.split(".")
    for length in range(len(parts), 0, -1):
        candidate = ".".join(parts[:length])
        try:
            module = _import_named(candidate)
        except ModuleMissing:
            if length == 1:
                raise
            continue
        return _attributes(module, candidate, ".".join(parts[length:]))
    raise AssertionError  # a name has at least one part


def _absolute(name: str, package: str | None) -> str:
    stripped = name.lstrip(".")
    module, colon, attribute = stripped.partition(":")
    if not all(part.isidentifier() for part in [*module.split("."), *(attribute.split(".") if colon else ())]):
        raise ValueError(f"{name!r} is not a dotted name like 'package.module' or 'package.module:object'")
    level = len(name) - len(stripped)
    if level == 0:
        return name
    if package is None:
        raise ValueError(f"{name!r} is relative: 'package' says what it is relative to")
    base = package.split(".")
    if level > len(base):
        raise ValueError(f"{name!r} leads out of the package {package!r}")
    return ".".join([*base[: len(base) - level + 1], stripped])


def _import_named(name: str) -> ModuleType:
    try:
        return _import_module(name)
    except ModuleNotFoundError as error:
        if not _is_about(error, name):
            raise  # the module is there, and something that it needs is not
        missing = error.name or name
        raise ModuleMissing(missing, _missing_message(name, missing)) from error


def _is_about(error: ModuleNotFoundError, name: str) -> bool:
    """Whether the module that was not found is ``name`` or one of its parents, and not one that it imports."""
    return error.name is not None and (name == error.name or name.startswith(f"{error.name}."))


def _missing_message(name: str, missing: str) -> str:
    where = "" if missing == name else f" (looked for {name!r})"
    parent, _, last = missing.rpartition(".")
    siblings = _names_in(parent)
    near = nearest(last, siblings)
    hint = f"\n  hint: did you mean {parent + '.' if parent else ''}{near}?" if near is not None else ""
    return f"no module named {missing!r}{where} is installed{hint}"


def _names_in(package: str) -> set[str]:
    """The module names in a package that is already imported, or the top-level ones."""
    # pkgutil is needed only for this message.
    from pkgutil import iter_modules

    if not package:
        return {module.name for module in iter_modules()} | set(sys.stdlib_module_names)
    module = sys.modules.get(package)
    return {found.name for found in iter_modules(getattr(module, "__path__", []))}


def _attributes(value: object, module: str, dotted: str) -> object:
    for name in dotted.split(".") if dotted else ():
        try:
            value = getattr(value, name)
        except AttributeError as error:
            near = nearest(name, dir(value))
            hint = f"\n  hint: did you mean {near!r}?" if near is not None else ""
            message = f"{module!r} has no {name!r}{hint}"
            raise NameMissing(module, name, message) from error
    return value


class Choice(NamedTuple):
    """Which of several modules was taken, and why.

    Attributes:
        module: The first one that is installed.
        name: Its name.
        missing: The names before it, which are not installed.
    """

    module: ModuleType
    name: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """Return a line that can be told to the user."""
        if not self.missing:
            return f"using {self.name}"
        return f"using {self.name}: {', '.join(self.missing)} {'is' if len(self.missing) == 1 else 'are'} not installed"


def first_installed(*names: str) -> Choice:
    """Import the first of ``names`` that is installed, and say which it was.

    The next one is tried only when the *named* module is absent. A module that is there but broken
    inside (it raises, or needs something that is not installed) is an error, not a reason to go on:
    what it raises passes unchanged.

    Raises:
        ModuleMissing: None of them is installed.
    """
    if not names:
        raise ValueError("at least one name is needed")
    missing: list[str] = []
    for name in names:
        try:
            module = _import_named(_absolute(name, None))
        except ModuleMissing:
            missing.append(name)
            continue
        return Choice(module, name, tuple(missing))
    message = f"none of {', '.join(names)} is installed\n  hint: install one of them"
    raise ModuleMissing(names[-1], message)


def is_installed(name: str) -> bool:
    """Whether a module could be imported by this name, without importing anything."""
    return find_module(name) is not None


# Distributions that bear another name than their module, of those that plugins commonly use. What bears the module's
# name instead is not there, or is somebody else's: a hint that is pasted is not to install that.
_DISTRIBUTIONS = {
    "Crypto": "pycryptodome",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyopenssl",
    "PIL": "pillow",
    "Xlib": "python-xlib",
    "alsaaudio": "pyalsaaudio",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "bugzilla": "python-bugzilla",
    "can": "python-can",
    "cassandra": "cassandra-driver",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dbus": "dbus-python",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "gi": "pygobject",
    "git": "gitpython",
    "google.oauth2": "google-auth",
    "google.protobuf": "protobuf",
    "googleapiclient": "google-api-python-client",
    "influxdb_client_3": "influxdb3-python",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "kafka": "kafka-python",
    "ldap": "python-ldap",
    "libarchive": "libarchive-c",
    "libvirt": "libvirt-python",
    "magic": "python-magic",
    "mpd": "python-mpd2",
    "nacl": "pynacl",
    "nats": "nats-py",
    "nio": "matrix-nio",
    "onelogin": "python3-saml",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "shopify": "shopifyapi",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "speedtest": "speedtest-cli",
    "telegram": "python-telegram-bot",
    "usb": "pyusb",
    "websocket": "websocket-client",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
}

# Packages that many distributions share, each of which is called like its part.
_SHARED = frozenset(
    {
        "azure",
        "azure.keyvault",
        "azure.mgmt",
        "azure.storage",
        "backports",
        "dissect",
        "fluent",
        "google",
        "google.cloud",
        "jaraco",
        "ruamel",
        "sphinxcontrib",
        "zope",
    }
)


def distribution_of(module: str) -> str:
    """Return what is to be installed for a module by dotted name, as far as that can be told from the name."""
    parts = module.split(".")
    count = 1 + (parts[0] in _SHARED) + (".".join(parts[:2]) in _SHARED)
    name = ".".join(parts[:count])
    return _DISTRIBUTIONS.get(name, name if count == 1 else name.replace(".", "-").replace("_", "-"))


def is_shared(module: str) -> bool:
    """Whether other distributions than the one that a module belongs to may have brought its package."""
    return module.partition(".")[0] in _SHARED


def require(*names: str, reason: str | None = None, install: str | None = None) -> None:
    """Make sure that modules are installed, without importing them.

    Args:
        names: Dotted module names.
        reason: What they are needed for, for the message: ``"to read Parquet files"``.
        install: What to install when it is called otherwise: ``"pip install 'plugline[tool]'"``.

    Raises:
        ModuleMissing: All that are missing, named at once, with the command that installs them.
    """
    missing = [name for name in names if not is_installed(name)]
    if not missing:
        return
    tops = sorted({distribution_of(name) for name in missing})
    what = ", ".join(repr(name) for name in missing)
    verb = "is" if len(missing) == 1 else "are"
    needed = f" {verb} needed {reason}, and" if reason is not None else ""
    command = install if install is not None else f"pip install {' '.join(tops)}"
    message = f"{what}{needed} {verb} not installed\n  hint: {command}"
    raise ModuleMissing(missing[0], message)


class ModuleReload(NamedTuple):
    """What :func:`reload_module` did, and what it could not do.

    Attributes:
        module: The same module object as before.
        stale: Classes and functions of the old code that other modules still hold, as ``holder.name``.
        leftover: Names that the new source does not set any more and that are still there.
        cannot: What this kind of reload never does, for people.
    """

    module: ModuleType
    stale: tuple[str, ...]
    leftover: tuple[str, ...]
    cannot: str


_CANNOT = (
    "importlib.reload runs the file again in the same module object: names taken before stay old, isinstance "
    "fails for instances made before, deleted names stay, and side effects run a second time; "
    "it is fit for development only"
)


def reload_module(module: ModuleType | str) -> ModuleReload:
    """Reload an ordinary module with :func:`importlib.reload`, and say honestly what that leaves behind.

    For code that is a plugin, load it through a :class:`plugline.Host` instead.

    Raises:
        ModuleMissing: A name was given, and no module of this name is loaded.
        ValueError: It is a C extension or a built-in module, which cannot be reloaded.

    What the module raises passes; it is then half old and half new, as with ``importlib.reload``.
    """
    loaded = sys.modules.get(module) if isinstance(module, str) else module
    if loaded is None:
        message = f"no module named {module!r} is loaded, so there is nothing to reload"
        raise ModuleMissing(str(module), message)
    origin = getattr(loaded.__spec__, "origin", None)
    if origin is None or not origin.endswith((".py", ".pyc", ".pyw")):
        raise ValueError(f"{loaded.__name__!r} is not made of Python source, and cannot be reloaded")
    # importlib is imported already; reload is fetched here because nothing else needs the name.
    from importlib import reload

    before = dict(vars(loaded))
    # The names that the new code sets are seen by what it changes; those it does not touch keep their identity.
    reloaded = reload(loaded)
    old = {
        id(value): name
        for name, value in before.items()
        if getattr(value, "__module__", None) == loaded.__name__ and vars(loaded).get(name) is not value
    }
    return ModuleReload(reloaded, _holders(loaded, old), _leftover(loaded, before), _CANNOT)


def _holders(module: ModuleType, old: dict[int, str]) -> tuple[str, ...]:
    held = [
        f"{holder_name}.{name}"
        for holder_name, holder in list(sys.modules.items())
        if holder is not module
        for name, value in list(getattr(holder, "__dict__", {}).items())
        if id(value) in old
    ]
    return tuple(sorted(held))


def _leftover(module: ModuleType, before: dict[str, object]) -> tuple[str, ...]:
    """Functions and classes of the module that the reload did not define anew."""
    return tuple(
        sorted(
            name
            for name, value in before.items()
            if getattr(value, "__module__", None) == module.__name__
            and callable(value)
            and vars(module).get(name) is value
        )
    )
