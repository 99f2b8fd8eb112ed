"""Everything that is known of a plugin without running it."""

import sys

from plugline.discovery.candidates import FileCandidate, ModuleCandidate
from plugline.discovery.facts import SourceFacts
from plugline.discovery.known import INSTALLED_MAX_BYTES, PluginSpec, Read
from plugline.discovery.source import parse_source, read_facts
from plugline.files import SourceFile, read_installed
from plugline.findings import Finding, Place, short_repr
from plugline.lookup import find_module
from plugline.names import did_you_mean, plugin_name, shell_word

BUILT_IN = "built in"
__all__ = ["BUILT_IN", "TABLE_KEYS", "PluginSpec", "Read", "read_file", "read_module"]

# What [tool.plugline] of a block may hold.
TABLE_KEYS = ("name", "version", "api", "permissions", "settings", "requires", "after", "priority")


def read_file(candidate: FileCandidate, source: SourceFile | Finding) -> Read:
    """Turn the bytes of a dropped file into a spec."""
    if isinstance(source, Finding):
        return Read(None, (source,))

    tree = parse_source(source)
    if isinstance(tree, Finding):
        return Read(None, (tree,))
    facts, findings = read_facts(source, tree)
    return _spec(candidate.name, facts, source, candidate.module, findings, None, None)


def read_module(candidate: ModuleCandidate) -> Read:
    """Turn an installed module into a spec; it is not imported, and neither are its parents."""
    try:
        spec = find_module(candidate.module)
    except ValueError as error:
        return Read(None, (Finding("P109", str(error), candidate.place),))
    if spec is None:
        message = f"needs the module {candidate.module!r}, which is not installed"
        from plugline.imports import distribution_of  # few modules are missing

        parent, _, last = candidate.module.rpartition(".")
        hint = f"pip install {distribution_of(candidate.module)}"
        if candidate.distribution is not None:
            # Who has an entry point to what is not there was installed by halves, or a part of it was removed.
            message += f", though {candidate.distribution} has an entry point to it"
            hint = f"pip install --force-reinstall {shell_word(candidate.distribution)}"
        elif parent and find_module(parent) is not None:
            message = f"needs the module {candidate.module!r}, which {parent!r} does not have"
            hint = f"mend the name; an object is named with a colon: {f'{parent}:{last}'!r}"
        return Read(None, (Finding("P103", message, candidate.place, hint=hint),))
    origin = spec.origin
    if origin is None or not origin.endswith(".py"):
        return _bare_spec(candidate)
    source = read_installed(origin, max_bytes=INSTALLED_MAX_BYTES)
    if isinstance(source, Finding):
        return _bare_spec(candidate)

    tree = parse_source(source)
    if isinstance(tree, Finding):
        return Read(None, (tree,))
    facts, findings = read_facts(source, tree)
    built_in = candidate.module.partition(".")[0] in sys.stdlib_module_names
    version = candidate.version or (BUILT_IN if built_in else None)
    distribution = candidate.distribution
    return _spec(candidate.name, facts, source, candidate.module, findings, distribution, version, is_named=True)


def _bare_spec(candidate: ModuleCandidate) -> Read:
    version = candidate.version or BUILT_IN
    name, place = candidate.name, candidate.place
    spec = PluginSpec(name, version, "", None, None, (), place, "", candidate.module, candidate.distribution, {}, None)
    return Read(spec, ())


def _spec(
    name: str,
    facts: SourceFacts,
    source: SourceFile,
    module: str,
    findings: tuple[Finding, ...],
    distribution: str | None,
    installed_version: str | None,
    *,
    is_named: bool = False,
) -> Read:
    metadata = _Metadata(facts, source.path)
    metadata.check_keys()
    said = metadata.text("name", "PLUGIN_NAME")
    if is_named:
        said = None  # two objects of one module are two plugins
    try:
        declared: str = plugin_name(said if said is not None else name)
    except ValueError as error:
        hint = "rename the file" if distribution is None else f"{distribution} has to name it otherwise"
        metadata.wrong("name", "PLUGIN_NAME", str(error), hint if said is None else None)
        declared = name
    spec = PluginSpec(
        declared,
        metadata.version() or installed_version,
        facts.summary,
        metadata.text("api", "REQUIRED_API_VERSION"),
        metadata.top_text("requires-python"),
        metadata.dependencies(),
        Place(source.path),
        source.digest,
        module,
        distribution,
        metadata.table,
        facts,
        metadata.names("requires", "REQUIRES"),
        metadata.names("after", "AFTER"),
        metadata.number("priority", "PRIORITY"),
    )
    return Read(spec, (*findings, *metadata.findings))


_HUGE = 10**12  # a version is a small number; a larger one may have no decimal form at all


class _Metadata:
    """What a source says of itself, with a finding for each thing that has the wrong type."""

    def __init__(self, facts: SourceFacts, path: str) -> None:
        self._facts = facts
        self._path = path
        self.findings: list[Finding] = []
        tool = facts.block.get("tool")
        table = tool.get("plugline", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            self._finding("[tool.plugline] of the 'script' block", table, "a table", facts.block_line)
            table = {}
        self.table: dict[str, object] = table

    def check_keys(self) -> None:
        """Find keys of ``[tool.plugline]`` that mean nothing, which are slips more often than not."""
        for key in self.table:
            if key not in TABLE_KEYS:
                hint = did_you_mean(key, TABLE_KEYS, kind="keys")
                message = f"unknown key {key!r} in [tool.plugline]"
                self.findings.append(Finding("P109", message, Place(self._path, self._facts.block_line), hint))

    def text(self, key: str, constant: str) -> str | None:
        """Return the string under a key of ``[tool.plugline]``, else under a module constant."""
        if key in self.table:
            return self._string(f"{key!r} in [tool.plugline]", self.table[key], self._facts.block_line)
        if constant in self._facts.constants:
            return self._string(constant, self._facts.constants[constant], self._facts.constant_lines[constant])
        return None

    def version(self) -> str | None:
        """Return what it says of its version, be it as a number or a tuple: ``VERSION = (6, 1, 0)`` is the habit of Django's world."""
        if "version" in self.table:
            return self.text("version", "")
        for constant in ("VERSION", "__version__"):
            value = self._facts.constants.get(constant)
            if isinstance(value, str):
                found = self.text("", constant)
            elif isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < _HUGE:
                found = str(value)
            elif isinstance(value, tuple):
                end = next((at for at, part in enumerate(value) if type(part) is not int), len(value))
                found = ".".join(str(part) for part in value[:end])
            else:
                found = None  # something else of that name: its plugin may have been written for another host
            if found:
                return found
        return None

    def top_text(self, key: str) -> str | None:
        if key not in self._facts.block:
            return None
        return self._string(f"{key!r} of the 'script' block", self._facts.block[key], self._facts.block_line)

    def dependencies(self) -> tuple[str, ...]:
        value = self._facts.block.get("dependencies", [])
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return tuple(value)
        self._finding("'dependencies' of the 'script' block", value, "a list of strings", self._facts.block_line)
        return ()

    def names(self, key: str, constant: str) -> tuple[str, ...]:
        """Return the names of plugins under a key of ``[tool.plugline]``, else under a module constant."""
        what, value, line = self._said(key, constant, ())
        if isinstance(value, (list, tuple)) and all(isinstance(one, str) and one.isprintable() for one in value):
            return tuple(dict.fromkeys(value))
        # One name without its brackets is the usual slip, and would be taken apart into letters.
        expected = f"a list such as [{value!r}]" if isinstance(value, str) else "a list of names of plugins"
        self._finding(what, value, expected, line)
        return ()

    def number(self, key: str, constant: str) -> int:
        """Return the whole number under a key of ``[tool.plugline]``, else under a module constant."""
        what, value, line = self._said(key, constant, 0)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        self._finding(what, value, "a whole number", line)
        return 0

    def _said(self, key: str, constant: str, default: object) -> tuple[str, object, int | None]:
        """Return what is asked about, as messages call it, with its value and its line."""
        if key in self.table:
            return f"{key!r} in [tool.plugline]", self.table[key], self._facts.block_line
        return constant, self._facts.constants.get(constant, default), self._facts.constant_lines.get(constant)

    def wrong(self, key: str, constant: str, message: str, hint: str | None) -> None:
        line = self._facts.block_line if key in self.table else self._facts.constant_lines.get(constant)
        self.findings.append(Finding("P109", message, Place(self._path, line), hint))

    def _string(self, what: str, value: object, line: int | None) -> str | None:
        if isinstance(value, str) and value.isprintable():
            return value
        # A version as a number is the usual slip: 1.10 would become 1.1.
        expected = "a string" if not isinstance(value, str) else "printable text"
        if isinstance(value, (int, float)):
            expected = f"a string such as {short_repr(value)!r}"
        self._finding(what, value, expected, line)
        return None

    def _finding(self, what: str, value: object, expected: str, line: int | None) -> None:
        message = f"{what} is {short_repr(value)}, {expected} was expected"
        self.findings.append(Finding("P109", message, Place(self._path, line)))
