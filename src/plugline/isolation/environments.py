"""What plugins depend on to environments that hold it: found when a plugin is loaded, made by ``plugline sync`` only.

An environment is a folder in the user's cache, named by a digest of what it holds: equal needs share one. Its versions
and their digests are locked in a file beside the plugin folder, which is meant to be kept with the plugins; from then on
it is made of exactly these, from uv's own cache where that has them.

Finding an environment reads one small file. Nothing is resolved, and nobody is asked, where a plugin is loaded.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from plugline.contract.version import runs_here
from plugline.discovery.cache import cache_folder
from plugline.errors import PluglineError
from plugline.files import digest_of, way_to_write
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.isolation.process import package_root
from plugline.replacing import replace_file
from plugline.worker.frames import WIRE_VERSION, plugline_version

LOCKS = "plugline.environments"  # the folder of lock files, beside the plugin folder
_FOLDER = "environments"
_ABOUT = "environment.json"
_OWN_NEEDS = ("msgspec>=0.18",)  # what a worker takes besides plugline itself, which is led to by a link

Say = Callable[[str], None]


class EnvironmentFailed(PluglineError):
    """An environment could not be made."""

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.what}\n  hint: {self.hint}"


@frozen(kw_only=True)
class Needs:
    """What an environment is to hold. Equal needs have equal keys.

    Attributes:
        requirements: PEP 508, each in its one spelling, sorted.
        requires_python: The versions of Python that will do; empty for any.
    """

    requirements: tuple[str, ...]
    requires_python: str = ""

    @property
    def key(self) -> str:
        """What the environment's folder and lock file are called."""
        text = "\n".join((*self.requirements, self.requires_python))
        return digest_of(text.encode()).hex()[:16]


@frozen(kw_only=True)
class Environment:
    """An environment that is there.

    Attributes:
        root: The folder that holds plugline for it, and nothing else.
        version: That of its Python.
    """

    python: str
    libraries: str
    root: str
    version: str


def needs_of(dependencies: Iterable[str], requires_python: str | None, place: Place) -> Needs | tuple[Finding, ...]:
    """Return what a plugin's block asks for, or what is wrong with it: what is no requirement could be an option of uv's."""
    from packaging.requirements import InvalidRequirement, Requirement  # for plugins that need something

    found, findings = [], []
    for text in dependencies:
        try:
            found.append(str(Requirement(text)))
        except InvalidRequirement:
            message = f"{text!r} in 'dependencies' is no requirement, one such as 'rapidfuzz>=3' was expected"
            findings.append(Finding("P109", message, place))
    if findings:
        return tuple(findings)
    return Needs(requirements=tuple(sorted(set(found))), requires_python=(requires_python or "").strip())


def unsatisfied(requirements: Iterable[str]) -> tuple[str, ...]:
    """Return what the environment that runs this program lacks of some requirements, each with what is there instead."""
    return tuple(said for text in requirements if (said := _lacking(text, frozenset())))


def _lacking(text: str, seen: frozenset[str]) -> str:
    from importlib import metadata  # three bare starts

    from packaging.requirements import Requirement

    wanted = Requirement(text)
    if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
        return ""
    if wanted.url is not None:
        return f"{text} (named by its address, which only an environment of its own has)"
    try:
        distribution = metadata.distribution(wanted.name)
    except metadata.PackageNotFoundError:
        return f"{text} (not installed)"
    if not wanted.specifier.contains(distribution.version, prereleases=True):
        return f"{text} ({distribution.version} is installed)"
    for extra in sorted(wanted.extras):
        for other in distribution.requires or ():
            marker = Requirement(other).marker
            applies = marker is not None and marker.evaluate({"extra": extra}) and not marker.evaluate({"extra": ""})
            if applies and other not in seen:
                lacks = _lacking(other.partition(";")[0].strip(), seen | {other})
                if lacks:
                    return f"{text}, which takes {lacks}"
    return ""


# ----------------------------------------------------------------------------- finding


def find_environment(needs: Needs) -> Environment | None:
    """Return the environment for some needs, ``None`` where it is to be made first. Reads one file."""
    folder = _folder_of(needs)
    if folder is None:
        return None
    about = _about(folder)
    if about.get("wire") != WIRE_VERSION or about.get("plugline") != plugline_version():
        return None
    python, libraries = folder / str(about["python"]), folder / str(about["libraries"])
    root = folder / "root"
    if not (python.exists() and libraries.is_dir() and (root / "plugline" / "worker").is_dir()):
        return None  # its Python, or this plugline, was removed or moved
    return Environment(
        python=str(python), libraries=str(libraries), root=str(root), version=str(about.get("version", ""))
    )


def _folder_of(needs: Needs) -> Path | None:
    cache = cache_folder()
    return Path(cache) / _FOLDER / needs.key if cache is not None else None


# ----------------------------------------------------------------------------- making


@frozen(kw_only=True)
class Wishes:
    """How environments are to be made.

    Attributes:
        python: The interpreter to use, as uv understands it; ``None``: any that the needs allow, this one first.
        upgrade: Whether newer versions are looked for than those that are locked.
        offline: Whether the network is not to be used.
        build: Whether packages may be built from their sources, which runs their code.
    """

    python: str | None = None
    upgrade: bool = False
    offline: bool = False
    build: bool = False


@frozen(kw_only=True)
class Made:
    """What making an environment came to.

    Attributes:
        was_there: Whether nothing was to be done.
        packages: What it holds: ``tabulate==0.8.10``.
    """

    environment: Environment
    lock: str
    was_there: bool
    packages: tuple[str, ...]


def make_environment(needs: Needs, plugin_folder: str, names: Sequence[str], wishes: Wishes, say: Say) -> Made:
    """Make the environment for some needs, or see that it is there and holds what is locked.

    It appears in its place when it is whole.

    Args:
        plugin_folder: The folder of the plugins, beside which the lock file is.
        names: The plugins that need it, for the lock file.

    Raises:
        EnvironmentFailed: uv is not installed, or could not do it.
    """
    if sys.platform == "win32":
        hint = "install what they need where the program runs, as with pip"
        raise EnvironmentFailed(
            "plugins with an environment of their own run in workers, which Windows has none of", hint
        )
    folder = _folder_of(needs)
    if folder is None:
        raise EnvironmentFailed("there is no cache folder to make environments in", "set PLUGLINE_CACHE to a folder")
    lock = Path(plugin_folder).resolve().parent / LOCKS / f"{needs.key}.txt"
    uv = find_uv()
    python = _python(uv, needs, wishes, say)
    locked = lock.read_text(encoding="utf-8") if lock.is_file() and not wishes.upgrade else None
    if locked is None:
        say(f"resolving {', '.join(needs.requirements) or 'no requirements'}")
        locked = _resolve(uv, needs, python, names, wishes)
        _write(lock, locked)
    known = find_environment(needs)
    digest = digest_of(locked.encode()).hex()
    if known is not None and _about(folder).get("lock") == digest and (not wishes.python or _same(known, python)):
        return Made(environment=known, lock=str(lock), was_there=True, packages=_packages(locked))
    say(f"making an environment for {', '.join(names)}")
    _make(uv, folder, python, lock, digest, wishes)
    made = find_environment(needs)
    if made is None:
        raise EnvironmentFailed(f"the environment {folder} was made and cannot be used", "please report this")
    return Made(environment=made, lock=str(lock), was_there=False, packages=_packages(locked))


def find_uv() -> str:
    """Return the path of uv: on the PATH, or beside the Python that runs.

    Raises:
        EnvironmentFailed: It is not installed.
    """
    beside = os.path.join(os.path.dirname(sys.executable), "uv") if sys.executable else ""
    found = shutil.which("uv") or (beside if os.access(beside, os.X_OK) else None)
    if found is None:
        hint = "install it: pip install uv, or see https://docs.astral.sh/uv/"
        raise EnvironmentFailed("environments are made by uv, which is not installed", hint)
    return found


def _python(uv: str, needs: Needs, wishes: Wishes, say: Say) -> str:
    """Return the interpreter that the environment is to be made with."""
    if wishes.python is None and fits_this_python(needs):
        return sys.executable
    asked = wishes.python or needs.requires_python
    found = _run([uv, "python", "find", *_offline(wishes), asked], f"find Python {asked}").strip()
    if wishes.python is not None and needs.requires_python and not _fits(needs.requires_python, _version_of(found)):
        what = f"Python {wishes.python} was asked for, and the plugin requires {needs.requires_python}"
        raise EnvironmentFailed(what, "name a Python that it allows: --python")
    say(f"using {found}")
    return found


def fits_this_python(needs: Needs) -> bool:
    """Whether the Python that runs is one that will do."""
    return not needs.requires_python or runs_here(needs.requires_python)


def _fits(requires_python: str, version: str) -> bool:
    from packaging.specifiers import SpecifierSet

    return not requires_python or SpecifierSet(requires_python).contains(version, prereleases=True)


_ASK = "import sys, sysconfig; print('.'.join(map(str, sys.version_info[:3])))"


def _version_of(python: str) -> str:
    return _run([python, "-I", "-S", "-c", _ASK], f"run {python}").strip()


def _same(environment: Environment, python: str) -> bool:
    return environment.version == _version_of(python)


def _resolve(uv: str, needs: Needs, python: str, names: Sequence[str], wishes: Wishes) -> str:
    wanted = "".join(f"{one}\n" for one in (*needs.requirements, *_OWN_NEEDS))
    command = [uv, "pip", "compile", "-", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
    command += ["--python", python, *_offline(wishes), *([] if wishes.build else ["--no-build"])]
    found = _run(command, "resolve " + ", ".join(needs.requirements), stdin=wanted)
    about = f"# What {', '.join(names)} need. Written by plugline sync; plugline sync --upgrade looks for newer ones.\n"
    return about + found


def _make(uv: str, folder: Path, python: str, lock: Path, digest: str, wishes: Wishes) -> None:
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    half = folder.parent / f"{folder.name}.{os.getpid()}"
    shutil.rmtree(half, ignore_errors=True)
    try:
        offline = _offline(wishes)
        _run([uv, "venv", "--quiet", "--relocatable", *offline, "--python", python, str(half / "venv")], "make it")
        executable = half / "venv" / "bin" / "python"
        command = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--no-deps",
            "--python",
            str(executable),
            *offline,
        ]
        _run([*command, *([] if wishes.build else ["--no-build"]), "-r", str(lock)], "install what is locked")
        version = _version_of(str(executable))
        libraries = Path("venv") / "lib" / f"python{'.'.join(version.split('.')[:2])}" / "site-packages"
        (half / "root").mkdir()
        (half / "root" / "plugline").symlink_to(Path(package_root()) / "plugline")
        about = {
            "wire": WIRE_VERSION,
            "plugline": plugline_version(),
            "python": "venv/bin/python",
            "libraries": str(libraries),
            "version": version,
            "lock": digest,
        }
        (half / _ABOUT).write_text(json.dumps(about), encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)
        half.rename(folder)
    finally:
        shutil.rmtree(half, ignore_errors=True)


def _about(folder: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(exist_ok=True)
        replace_file(str(path), text.encode())
    except OSError as error:
        what = f"{path} cannot be written: {error.strerror or error}"
        raise EnvironmentFailed(what, way_to_write(error)) from error


def _offline(wishes: Wishes) -> list[str]:
    return ["--offline"] if wishes.offline else []


def _packages(locked: str) -> tuple[str, ...]:
    lines = (line.partition(" ")[0].rstrip("\\") for line in locked.splitlines() if "==" in line)
    return tuple(line for line in lines if line and not line.startswith(("#", "-")))


_LIMIT_SECONDS = 1800  # a download may be large and slow, but does not last for ever


def _run(command: Sequence[str], what: str, stdin: str | None = None) -> str:
    try:
        done = subprocess.run(
            command,
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=_LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise EnvironmentFailed(
            f"uv could not {what} in {_LIMIT_SECONDS} s", "see whether the network is there"
        ) from None
    except OSError as error:
        raise EnvironmentFailed(f"{command[0]} cannot be run: {error.strerror or error}", "install uv again") from error
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()] or [f"code {done.returncode}"]
        hint = "mend the plugin's dependencies, or name another Python: --python"
        if any("--no-build" in line or "building" in line.lower() for line in said):
            hint = "what has no wheel is built from its sources, which runs their code: plugline sync --build"
        # In one line, as all findings are.
        told = " ".join(said[:20]).removeprefix("error: ")
        raise EnvironmentFailed(f"uv could not {what}: {told}", hint)
    return done.stdout
