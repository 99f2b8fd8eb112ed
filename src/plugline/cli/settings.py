"""Defaults, a file, the environment and flags to the settings of the tool, each with where it is from.

The file is ``plugline.toml``, or ``[tool.plugline]`` in ``pyproject.toml``, in the current folder or the nearest one above
it that has either. It is only opened where it is there.
"""

import os
from collections.abc import Iterator, Mapping, Sequence

from plugline.findings import Finding, Place

TYPE_CHECKING = False
if TYPE_CHECKING:  # what a listing has no need of
    from plugline.contract.fields import Field
    from plugline.pipeline.config import Override
    from plugline.pipeline.toml import Document

PREFIX = "PLUGLINE_"
FILE, SHARED_FILE, SHARED_TABLE = "plugline.toml", "pyproject.toml", ("tool", "plugline")
DEFAULT = Place("default")

Value = str | int | float | bool | Sequence[str] | None


class Setting:
    """One setting of the tool.

    Attributes:
        name: The key in a file; with ``PLUGLINE_`` before it and in capitals the variable of the environment.
        summary: One line for people.
        default: What it is where nothing says otherwise.
        choices: The values that it may have; none where anything goes.
        kind: ``text``, ``file`` or ``folders``; paths in a file are relative to its folder.
        flag: The option that counts more than all else, where there is one.
    """

    __slots__ = ("choices", "default", "flag", "kind", "name", "summary")

    def __init__(
        self,
        name: str,
        summary: str,
        default: Value = None,
        *,
        choices: Sequence[str] = (),
        kind: str = "text",
        flag: str = "",
    ) -> None:
        self.name, self.summary, self.default = name, summary, default
        self.choices, self.kind, self.flag = tuple(choices), kind, flag

    @property
    def variable(self) -> str:
        """The variable of the environment."""
        return PREFIX + self.name.upper()


SETTINGS = {
    setting.name: setting
    for setting in (
        Setting("pipeline", "The pipeline file where none is named.", "pipeline.toml", kind="file", flag="PIPELINE"),
        Setting("plugins", "The plugin folders where none are named.", ("plugins",), kind="folders", flag="--plugins"),
        Setting(
            "color",
            "Whether to use colours: auto means on a terminal or where FORCE_COLOR is set, and not where NO_COLOR is.",
            "auto",
            choices=("auto", "always", "never"),
        ),
        Setting(
            "log_level",
            "Log to standard error from this level on.",
            "off",
            choices=("off", "error", "warning", "info", "debug"),
        ),
        Setting("log_format", "How log lines are written.", "text", choices=("text", "json")),
    )
}

# Read elsewhere, and not settings of a file: said here, so that a misspelt variable can be told from them.
OTHER_VARIABLES = {
    "PLUGLINE_CACHE": "The folder in which is remembered what plugins say, with their compiled code; off for none.",
    "PLUGLINE_ONLY": "The plugins of folders that hosts may use, one a line; what plugline bisect sets.",
}


class Resolved:
    """A setting's value, and where it is from: ``default``, ``plugline.toml:3:9``, ``PLUGLINE_ENGINE``, ``--engine``."""

    __slots__ = ("name", "origin", "value")

    def __init__(self, name: str, value: Value, origin: Place) -> None:
        self.name, self.value, self.origin = name, value, origin


class SettingsFile:
    """The tool's configuration file, as it was found.

    Attributes:
        folder: The folder that its paths are relative to.
        values: The keys and values of the tool.
    """

    def __init__(self, path: str, folder: str, document: "Document", table: tuple[str, ...]) -> None:
        self.path = path
        self.folder = folder
        self._document = document
        self._table = table
        values: object = document.data
        for key in table:
            values = values.get(key, {}) if isinstance(values, Mapping) else {}
        self.values: Mapping[str, object] = values if isinstance(values, Mapping) else {}

    def origin(self, name: str) -> Place:
        """Return where a value stands."""
        return self._document.place((*self._table, name))

    def finding(self, code: str, message: str, name: str, hint: str | None, *, on_key: bool = False) -> Finding:
        """Return a finding about a value or its key."""
        from plugline.contract.settings import Problem  # something is wrong

        path = (*self._table, name)
        return self._document.finding(Problem(path=path, code=code, message=message, hint=hint, on_key=on_key))


def find_file() -> SettingsFile | None:
    """Find and read the tool's configuration file; ``None`` where there is none.

    Raises:
        ConfigurationError: It is not TOML.
    """
    for folder in _folders_up():
        for name, table in ((FILE, ()), (SHARED_FILE, SHARED_TABLE)):
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as stream:
                    content = stream.read()
            except OSError:
                continue
            if not table or b"tool.plugline" in content:
                from plugline.host.store import KEY as DISABLED  # there is a file to read
                from plugline.pipeline.toml import parse

                shown = _relative(path)
                found = SettingsFile(shown, folder, parse(content, shown), table)
                # One that only disables plugins, as "plugline disable" writes it, says nothing of the tool.
                if table or found.values.keys() != {DISABLED}:
                    return found
    return None


def _relative(path: str) -> str:
    from plugline.files import relative_path  # most completions have no such file

    return relative_path(path)


def _folders_up() -> Iterator[str]:
    try:
        folder = os.getcwd()
    except OSError:  # it was removed
        return
    while True:
        yield folder
        above = os.path.dirname(folder)
        if above == folder:
            return
        folder = above


class Settings:
    """All settings, resolved: defaults below the file below the environment."""

    def __init__(self, file: SettingsFile | None, environment: Mapping[str, str]) -> None:
        self._file = file
        self._environment = environment

    @classmethod
    def load(cls) -> "Settings":
        """Resolve the settings as they are now.

        Raises:
            ConfigurationError: The file is not TOML.
        """
        return cls(find_file(), os.environ)

    def __getitem__(self, name: str) -> Resolved:
        setting = SETTINGS[name]
        # What is wrong counts for nothing, and findings() tells it.
        right = (said for said in self._said(setting) if not setting.choices or said.value in setting.choices)
        return next(right, Resolved(name, setting.default, DEFAULT))

    def _said(self, setting: Setting) -> Iterator[Resolved]:
        """Yield what is said of a setting and has its type, what counts most first."""
        said = self._environment.get(setting.variable)
        if said:
            value: Value = said.split(os.pathsep) if setting.kind == "folders" else said
            yield Resolved(setting.name, value, Place(setting.variable))
        if self._file is not None and setting.name in self._file.values:
            found = self._file.values[setting.name]
            if _wrong_type(setting, found) is None:
                yield Resolved(setting.name, self._in_file(setting, found), self._file.origin(setting.name))

    def _in_file(self, setting: Setting, value: object) -> Value:
        if setting.kind == "folders":
            found = value if isinstance(value, list) else [value]
            return [self._located(str(folder)) for folder in found]
        return self._located(str(value)) if setting.kind == "file" else str(value)

    def _located(self, path: str) -> str:
        assert self._file is not None  # noqa: S101 - the caller looked
        return _relative(os.path.join(self._file.folder, path))

    def text(self, name: str) -> str:
        """Return the value of a setting that is a string."""
        return str(self[name].value)

    def folders(self) -> tuple[Sequence[str], bool]:
        """Return plugin folders, and whether somebody asked for them."""
        resolved = self["plugins"]
        value = resolved.value
        return (tuple(value) if isinstance(value, list | tuple) else ()), resolved.origin != DEFAULT

    # ------------------------------------------------------------------ what a pipeline's [run] takes

    def overrides(self, base: str = "") -> Iterator["Override"]:
        """Yield what the file and the environment say of a pipeline: the file's count less than the pipeline's own.

        Args:
            base: The folder that the pipeline's paths are relative to, where those here are relative to the current one.
        """
        from plugline.pipeline.config import Override  # of a run, which imports it anyway

        folders = self["plugins"]
        if folders.origin != DEFAULT and isinstance(folders.value, list | tuple):
            weak = folders.origin.path != SETTINGS["plugins"].variable
            # As they are named wherever that leads there too: a plugin has one path, whoever asks for it.
            paths = [folder if base in ("", ".") else os.path.abspath(folder) for folder in folders.value]
            yield Override(path=("plugins",), value=paths, origin=folders.origin, weak=weak)
        for field in run_fields():
            if self._file is not None and field.name in self._file.values:
                value = self._file.values[field.name]
                yield Override(path=("run", field.name), value=value, origin=self._file.origin(field.name), weak=True)
            variable = PREFIX + field.name.upper()
            if said := self._environment.get(variable):
                yield Override(path=("run", field.name), value=_from_text(field.type, said), origin=Place(variable))

    # ------------------------------------------------------------------ what is wrong

    def warn(self) -> None:
        """Say what is wrong, which ends no command: what cannot be understood counts for nothing."""
        if self.are_default:
            return
        from plugline.cli import render  # where somebody said something

        # What is said of runs is told by a run, as an error of it.
        said = [
            Finding(one.code, one.message, one.place, one.hint, one.source_line, "warning")
            for one in self.findings(of_runs=False)
        ]
        if said:
            render.say_findings(said)

    @property
    def are_default(self) -> bool:
        """Whether nobody said anything: there is neither a file nor a variable of a setting."""
        names = (name for name in self._environment if name.startswith(PREFIX))
        return self._file is None and all(name in OTHER_VARIABLES for name in names)

    def findings(self, *, of_runs: bool = True) -> Iterator[Finding]:
        """Yield what is wrong: unknown keys and variables with the nearest, values that are none of the choices.

        Args:
            of_runs: Whether what is said of a pipeline's ``[run]`` is looked at, too.
        """
        from plugline.host.store import KEY as DISABLED  # where somebody asks
        from plugline.names import did_you_mean, nearest  # where somebody asks

        known = [*SETTINGS, *dict.fromkeys(field.name for field in run_fields())]
        for name, value in (self._file.values if self._file is not None else {}).items():
            assert self._file is not None  # noqa: S101 - else there are none
            setting = SETTINGS.get(name)
            if name == DISABLED and os.path.basename(self._file.path) == FILE:
                continue  # what the kernel keeps beside a plugin folder, which says itself what is wrong with it
            if name not in known:
                hint = did_you_mean(name, [*known, DISABLED], kind="keys")
                if name == DISABLED:
                    hint = f"it stands in {FILE} beside the plugin folder: plugline disable NAME"
                yield self._file.finding("C101", f"unknown key {name!r}", name, hint, on_key=True)
            elif setting is not None and (wrong := _wrong_type(setting, value)):
                yield self._file.finding("C103", wrong, name, None)
        variables = [PREFIX + name.upper() for name in known]
        for name in sorted(self._environment):
            if name.startswith(PREFIX) and name not in variables and name not in OTHER_VARIABLES:
                near = nearest(name, [*variables, *OTHER_VARIABLES])
                hint = f"did you mean {near!r}?" if near is not None else "plugline config show lists the known ones"
                yield Finding("C101", "unknown setting", Place(name), hint, severity="warning")
        yield from self._findings_of_choices()
        if of_runs:
            yield from self._findings_of_runs()

    def _findings_of_choices(self) -> Iterator[Finding]:
        from plugline.names import did_you_mean  # where somebody asks

        for setting in SETTINGS.values():
            for said in self._said(setting):
                if setting.choices and said.value not in setting.choices:
                    message = f"{said.value!r} is not {' or '.join(map(repr, setting.choices))} for {setting.name!r}"
                    yield Finding(
                        "C104", message, said.origin, did_you_mean(str(said.value), setting.choices, kind="values")
                    )

    def _findings_of_runs(self) -> Iterator[Finding]:
        from plugline.pipeline.config import run_problems  # of a run

        for said in self.overrides():
            if said.path[0] != "run":
                continue
            for problem in run_problems({said.path[1]: said.value}):
                if self._file is not None and said.weak:
                    yield self._file.finding(problem.code, problem.message, said.path[1], problem.hint)
                else:
                    yield Finding(problem.code, problem.message, said.origin, problem.hint)


def run_fields() -> "Sequence[Field]":
    """Return the keys of ``[run]``, each of which is a setting of the tool too, where it is no table."""
    from plugline.contract.fields import fields_of  # of a run, which imports it anyway
    from plugline.pipeline.config import RunConfig

    return [field for field in fields_of(RunConfig) if field.name != "options"]


def _from_text(form: object, text: str) -> object:
    """Read what an environment says of a key of ``[run]``; what it is not is told by the check of the pipeline."""
    if form is bool or form == bool | None:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    if form in (int, int | None) and text.strip().lstrip("-").isdecimal():
        return int(text)
    if form in (float, float | None):
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _wrong_type(setting: Setting, value: object) -> str | None:
    if isinstance(value, str):
        return None
    if setting.kind == "folders":
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return None
        return f"{value!r} is not a list of strings, expected folders for {setting.name!r}"
    return f"{value!r} is not a string, expected one for {setting.name!r}"
