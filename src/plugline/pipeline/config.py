"""A pipeline file, or flags in its place, to a pipeline as written.

Nothing is looked for here: whether plugins, formats and files exist is the plan's question.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, is_dataclass, replace
from typing import Any, Literal, Self

from plugline.contract.settings import Field, KeyPath, Problem, check, construct, fields_of
from plugline.errors import ConfigurationError
from plugline.files import read_source
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.names import nearest_file
from plugline.pipeline.toml import Document, parse
from plugline.pipeline.variables import Scalar, Substituted, Variable, masked, substitute, variables_of, veiled

OnError = Literal["dead-letter", "drop", "pass", "stop"]
Isolation = Literal["none", "process", "sandbox"]
OnQuarantine = Literal["dead-letter", "bypass"]

WHOLE = 10**11
"""All records, of which a share is a part: a hundred per cent with nine digits after the point."""

_MINIMUM_RECORDS = 1000  # of fewer, a share says little: the first record that fails would be all of them


@frozen(kw_only=True)
class ErrorLimit:
    """How many records may fail before a run stops.

    Attributes:
        share: How many of :data:`WHOLE` records may fail, at least 1; ``None`` where it is not a share.
        count: The number of records that may fail; ``None`` where it is not a count.

    With neither, there is no limit.
    """

    share: int | None = None
    count: int | None = None

    @classmethod
    def from_setting(cls, value: object) -> Self:
        """Read ``"5%"``, a count as an integer or in digits, or ``"none"``.

        Raises:
            TypeError: It is of another type.
            ValueError: It is a string or a number that says something else.
        """
        wanted = 'expected a share as "5%", a count as 100, or "none"'
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(f"{value!r} is not a limit, {wanted}")
        text = str(value).strip()
        if text == "none":
            return cls()
        if text.isascii() and text.isdigit():
            return cls(count=int(text))
        if text.endswith("%"):
            return cls(share=_share(text))
        raise ValueError(f"{value!r} is not a limit, {wanted}")

    def exceeded(self, failed: int, records: int) -> bool:
        """Whether ``failed`` of ``records`` are too many: asked while a run goes on, and at its end.

        A share has no say before 1,000 records have been read, so it never stops a smaller run.
        """
        if self.count is not None:
            return failed > self.count
        if self.share is None or records < _MINIMUM_RECORDS:
            return False
        # In whole numbers: 0.29 * 100 is less than 29.
        return failed * WHOLE > self.share * records

    @property
    def setting(self) -> str | int:
        """The limit as a pipeline file has it."""
        if self.share is not None:
            return f"{self.share * 100 / WHOLE:g}%"
        return "none" if self.count is None else self.count

    def __str__(self) -> str:
        if self.share is not None:
            return f"{self.share * 100 / WHOLE:g}% of at least {_MINIMUM_RECORDS:,} records"
        return "none" if self.count is None else f"{self.count:,} records"


def _share(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,9}))?\s*%", text)
    share = 0 if found is None else int(found[1]) * WHOLE // 100 + int((found[2] or "").ljust(9, "0"))
    if not 0 < share <= WHOLE:
        raise ValueError(f"{text!r} is not a share, expected more than 0% and at most 100%")
    return share


@frozen()
class ProcessCount:
    """How many split processes a run has.

    Attributes:
        number: How many; 1 means none, everything happens in the process that runs the pipeline. ``None`` leaves it to the
            engine: as many as there are processors and splits.
    """

    number: int | None = None

    @classmethod
    def from_setting(cls, value: object) -> Self:
        """Read ``"auto"``, or a number as an integer or in digits.

        Raises:
            TypeError: It is of another type.
            ValueError: It says something else.
        """
        wanted = 'expected "auto" or a number from 1 on'
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError(f"{value!r} is not a number of processes, {wanted}")
        text = str(value).strip()
        if text == "auto":
            return cls()
        if not (text.isascii() and text.isdigit() and 0 < int(text) <= _MOST_PROCESSES):
            raise ValueError(f"{value!r} is not a number of processes, {wanted} to {_MOST_PROCESSES:,}")
        return cls(int(text))

    @property
    def setting(self) -> str | int:
        """The number as a pipeline file has it."""
        return "auto" if self.number is None else self.number


_MOST_PROCESSES = 1024  # more is a slip of the pen
LEAST_RECORD_BYTES = 2**20  # as much as is read at a time anyway
LEAST_SPLIT_BYTES = 1024  # less is a slip of the pen: a split costs more than its records


@frozen(kw_only=True)
class SourceConfig:
    """Where records come from.

    Attributes:
        path: A file, or ``-`` for standard input.
        format: The name of a format; ``None``: told by the file's name.
        options: The settings of the format.
    """

    path: str
    format: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)


@frozen(kw_only=True)
class SandboxConfig:
    """What an isolated processor may touch and use up, as :class:`plugline.worker.limits.Sandbox` has it.

    Attributes:
        read: Paths that may be read.
        write: Paths that may be written.
        net: Whether the network may be used.
        run: Whether programs may be started.
        env: Names of environment variables that are handed on.
        memory_bytes: Memory beyond what the worker itself takes.
        cpu_seconds: Processor time of one worker.
        timeout_seconds: The longest that loading it, or one record, may take.
    """

    read: tuple[str, ...] | None = None
    write: tuple[str, ...] | None = None
    net: bool | None = None
    run: bool | None = None
    env: tuple[str, ...] | None = None
    memory_bytes: int | None = None
    cpu_seconds: float | None = None
    timeout_seconds: float | None = None


@frozen(kw_only=True)
class StepConfig:
    """One use of a processor.

    Attributes:
        use: The processor's name.
        with_: Its settings; ``with`` in the file.
        name: What to call the step in counts and reports; ``None``: as the processor.
        on_error: What becomes of a record on which the step fails.
        isolation: Where the processor runs.
        sandbox: What it may touch and use up there.
        on_quarantine: What becomes of records once its workers have died too often.
    """

    use: str
    with_: Mapping[str, object] = field(default_factory=dict)
    name: str | None = None
    on_error: OnError = "dead-letter"
    isolation: Isolation = "none"
    sandbox: SandboxConfig | None = None
    on_quarantine: OnQuarantine = "dead-letter"


@frozen(kw_only=True)
class SinkConfig:
    """Where records go.

    Attributes:
        path: A file, or ``-`` for standard output.
        format: The name of a format; ``None``: told by the file's name.
        options: The settings of the format.
        parts: Whether ``path`` is a folder that gets a file for each split, and a manifest.
    """

    path: str
    format: str | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    parts: bool = False


@frozen(kw_only=True)
class RunConfig:
    """How the pipeline is run.

    Attributes:
        engine: The name of what executes it.
        dead_letters: The file for records that fail; ``None``: beside the sink.
        max_errors: How many records may fail.
        processes: How many processes share the work.
        ordered: Whether records are written in the order in which they were read.
        max_record_bytes: A record that is longer is not read, and becomes a dead letter.
        options: The settings of the engine.
        split_bytes: How large a split is at most, records at its end apart; ``None``: chosen by the size of the input.
    """

    engine: str = "local"
    dead_letters: str | None = None
    max_errors: ErrorLimit = ErrorLimit(share=5 * WHOLE // 100)
    processes: ProcessCount = ProcessCount()
    ordered: bool = True
    max_record_bytes: int = 64 * 2**20
    split_bytes: int | None = None
    options: Mapping[str, object] = field(default_factory=dict)


class Records(tuple[Mapping[str, object], ...]):
    """Records as a test of a pipeline writes them: a table, a list of tables, or a text with a JSON object a line."""

    __slots__ = ()

    @classmethod
    def from_setting(cls, value: object) -> Self:
        """Read the records.

        Raises:
            TypeError: It is of another type.
            ValueError: A line of the text is no JSON object.
        """
        if isinstance(value, Mapping):
            return cls([value])
        if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
            return cls(value)
        if isinstance(value, str):
            return cls(_records_in(value))
        wanted = "expected a table, a list of tables, or a text with a JSON object a line"
        raise TypeError(f"{value!r} is not records, {wanted}")


def _records_in(text: str) -> Iterator[Mapping[str, object]]:
    import json  # an import that only tests need

    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} of the text is not JSON: {error}") from None
        if not isinstance(record, dict):
            raise ValueError(f"line {number} of the text is not a JSON object")  # noqa: TRY004 - of the right type, with the wrong text
        yield record


@frozen(kw_only=True)
class FailureConfig:
    """A failure that a test expects.

    Attributes:
        step: The name of the step that fails; left out: any.
        error: What its error says: the name of the exception, or a part of ``ValueError: the message``; left out: anything.
        record: Which of the test's input records fails, from 1; left out: any.
    """

    step: str | None = None
    error: str | None = None
    record: int | None = None


@frozen(kw_only=True)
class CaseConfig:
    """One test of the pipeline, which ``plugline test`` runs.

    Attributes:
        input: The records that go in.
        output: The records that are to come out; with a ``failure`` it may be left out.
        failure: The failure that is expected, or several; as a string: its error.
        name: What to call the test; left out: its number.
    """

    input: Records
    output: Records | None = None
    failure: FailureConfig | tuple[FailureConfig, ...] | str | None = None
    name: str | None = None

    @property
    def failures(self) -> tuple[FailureConfig, ...]:
        """The failures that are expected."""
        match self.failure:
            case None:
                return ()
            case str():
                return (FailureConfig(error=self.failure),)
            case FailureConfig():
                return (self.failure,)
        return self.failure


@frozen(kw_only=True)
class Override:
    """A value that counts instead of the file's.

    Attributes:
        path: Which value.
        value: As the file would have it.
        origin: Where it is from, for messages: ``--engine``.
        weak: Whether it counts only where the file says nothing.
    """

    path: tuple[str, ...]
    value: object
    origin: Place
    weak: bool = False


def default_as_written(field: Field) -> object:
    """Return the default of a key as a file would say it; ``None`` where there is none."""
    default = field.default
    if isinstance(default, ErrorLimit | ProcessCount):
        return default.setting
    return None if default is ... else default


@frozen(kw_only=True)
class PipelineConfig:
    """A pipeline as written. It pickles.

    Attributes:
        source: Where records come from.
        sink: Where they go.
        steps: What is done with each, in order; none is fine, for a change of format.
        plugins: The folders with its plugins; ``None``: not said.
        run: How it is run.
        env: The variables of the environment that values may name as ``${NAME}``: a list of names, or a table of names with
            their defaults.
        tests: Records that go in, and what is to come out.
    """

    plugins: tuple[str, ...] | None = None
    source: SourceConfig
    steps: tuple[StepConfig, ...] = ()
    sink: SinkConfig
    run: RunConfig = RunConfig()
    env: tuple[str, ...] | Mapping[str, Scalar | Variable] = ()
    tests: tuple[CaseConfig, ...] = ()
    _origin: "Document | _Layered | _Flags | None" = field(default=None, repr=False, compare=False)
    _written: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)
    _held: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    def origins(self) -> Iterator[tuple[KeyPath, object, Place | None]]:
        """Yield each value as it was written, variables in their places not put in, and where; the tests apart.

        The place of a default is ``None``.
        """
        for table in fields_of(PipelineConfig):
            path = (table.name,)
            if table.name == "tests":
                continue
            if table.name == "steps":
                for index, _ in enumerate(self.steps):
                    yield from self._origins(StepConfig, ("steps", index))
            elif isinstance(table.type, type) and is_dataclass(table.type):
                yield from self._origins(table.type, path)
            else:
                yield path, *self._value_and_place(path, table)

    def _origins(self, kind: type, table: KeyPath) -> Iterator[tuple[KeyPath, object, Place | None]]:
        for one in fields_of(kind):
            path = (*table, one.name)
            yield path, *self._value_and_place(path, one)

    def _value_and_place(self, path: KeyPath, declared: Field) -> tuple[object, Place | None]:
        value: Any = self._written
        try:
            for part in path:
                value = value[part]
        except (IndexError, KeyError, TypeError):
            return default_as_written(declared), None
        return value, self.place(path)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the environment variables that values may name."""
        return tuple(self.env)

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        """Return where the value at ``path`` (or its key) was written, in the words of the file.

        ``("steps", 1, "with", "fields")``. What was not written has the place of what it would be in.
        """
        return Place("pipeline") if self._origin is None else self._origin.place(path, on_key=on_key)

    def veiled(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return findings that tell nothing of what variables of the environment hold."""
        return veiled(findings, self._held, self.place(("env",)).path)

    def finding(self, problem: Problem) -> Finding:
        """Put a problem, such as :func:`plugline.contract.settings.check` tells, in its place."""
        if self._origin is None:
            return Finding(problem.code, problem.message, self.place(problem.path), problem.hint)
        return self._origin.finding(problem)


def read_config(
    source: str | bytes,
    path: str,
    overrides: Sequence[Override] = (),
    environment: Mapping[str, str] | None = None,
) -> PipelineConfig:
    """Read a pipeline file.

    Args:
        source: Its text, or its bytes.
        path: Its name, for places.
        overrides: Values that count instead of the file's; the last one of each.
        environment: Where variables are looked up; ``None``: the environment of the process.

    Raises:
        ConfigurationError: With everything that is wrong, in the order of the file. Of invalid TOML (``C105``)
            only the first thing can be told.
    """
    document = parse(source, path)
    data, origin = _layered(document.data, document, overrides)
    return _config(data, origin, os.environ if environment is None else environment)


def _layered(
    data: Mapping[str, object], below: "Document | _Flags", overrides: Sequence[Override]
) -> "tuple[Mapping[str, object], Document | _Flags | _Layered]":
    counting = [one for one in overrides if not (one.weak and _has(data, one.path))]
    if not counting:
        return data, below
    for override in counting:
        data = _with(data, override.path, override.value)
    return data, _Layered(below, {override.path: override.origin for override in counting})


def _has(data: object, path: tuple[str, ...]) -> bool:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return False
        data = data[key]
    return True


def _with(data: Mapping[str, object], path: tuple[str, ...], value: object) -> dict[str, object]:
    """Return a copy with another value; where the file is wrong on the way to it, the file is left to be told so."""
    first, *rest = path
    if not rest:
        return {**data, first: value}
    inner = data.get(first, {})
    return {**data, first: _with(inner, tuple(rest), value) if isinstance(inner, Mapping) else inner}


@frozen()
class _Layered:
    """A file, or flags, of which some values do not count: the places of those that count instead are where they are from."""

    below: "Document | _Flags"
    origins: Mapping[tuple[str, ...], Place]

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        return self._origin(path) or self.below.place(path, on_key=on_key)

    def finding(self, problem: Problem) -> Finding:
        origin = self._origin(problem.path)
        if origin is None:
            return self.below.finding(problem)
        return Finding(problem.code, problem.message, origin, problem.hint)

    def _origin(self, path: KeyPath) -> Place | None:
        return next((origin for start, origin in self.origins.items() if path[: len(start)] == start), None)


def config_from_flags(
    *,
    source: str,
    sink: str,
    use: Sequence[str] = (),
    with_: Sequence[Mapping[str, object]] = (),
    plugins: Sequence[str] | None = None,
    source_format: str | None = None,
    sink_format: str | None = None,
    source_options: Mapping[str, object] | None = None,
    sink_options: Mapping[str, object] | None = None,
    engine: str | None = None,
    dead_letters: str | None = None,
    max_errors: str | int | None = None,
    on_error: str | None = None,
    processes: str | int | None = None,
    overrides: Sequence[Override] = (),
) -> PipelineConfig:
    """Make a pipeline of what a command line says; ``None`` is what it does not say.

    Args:
        source: A path, or ``-``.
        sink: A path, or ``-``.
        use: The processors, in order.
        with_: The settings of each of them, in the same order; none for those that it is too short for.
        plugins: The plugin folders.
        source_format: The name of a format.
        sink_format: The name of a format.
        source_options: The settings of the source's format.
        sink_options: Those of the sink's.
        engine: The name of an engine.
        dead_letters: The file for them.
        max_errors: As in a pipeline file.
        on_error: For all steps.
        processes: As in a pipeline file.
        overrides: What counts where the command line says nothing; the last one of each.

    Raises:
        ConfigurationError: With everything that is wrong; the places are the flags.
    """
    settings = [*with_, *({} for _ in use[len(with_) :])]
    steps = [
        {**_given(use=name, on_error=on_error), "with": dict(given)} for name, given in zip(use, settings, strict=True)
    ]
    data: Mapping[str, object] = _given(
        plugins=None if plugins is None else list(plugins),
        source=_given(path=source, format=source_format, options=source_options),
        steps=steps,
        sink=_given(path=sink, format=sink_format, options=sink_options),
        run=_given(engine=engine, dead_letters=dead_letters, max_errors=max_errors, processes=processes),
    )
    data, origin = _layered(data, _Flags(), [replace(override, weak=True) for override in overrides])
    return _config(data, origin, None)


def _given(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value is not None}


@frozen()
class _Flags:
    """A command line as an origin of values: their places are the flags."""

    def place(self, path: KeyPath, *, on_key: bool = False) -> Place:
        words = tuple(part for part in path if isinstance(part, str))
        while words and words not in _FLAGS:
            words = words[:-1]
        return Place(_FLAGS.get(words, "command line"))

    def finding(self, problem: Problem) -> Finding:
        return Finding(problem.code, problem.message, self.place(problem.path), problem.hint)


_FLAGS: Mapping[tuple[str, ...], str] = {
    ("plugins",): "--plugins",
    ("source",): "SOURCE",
    ("source", "format"): "--from",
    ("source", "options"): "--from-with",
    ("steps",): "--use",
    ("steps", "on_error"): "--on-error",
    ("steps", "with"): "--with",
    ("sink",): "--output",
    ("sink", "format"): "--to",
    ("sink", "options"): "--to-with",
    ("run", "engine"): "--engine",
    ("run", "dead_letters"): "--dead-letters",
    ("run", "max_errors"): "--max-errors",
    ("run", "processes"): "--processes",
}


def _config(
    data: Mapping[str, object], origin: Document | _Flags | _Layered, environment: Mapping[str, str] | None
) -> PipelineConfig:
    substituted = _substituted(data, environment)
    if not substituted.problems:
        config, problems = construct(PipelineConfig, substituted.data)
        if config is not None and not any(_rules(substituted.data)):
            return replace(config, _origin=origin, _written=data, _held=substituted.held)
    values, problems = check(fields_of(PipelineConfig), substituted.data)
    told = {problem.path for problem in substituted.problems}
    rest = masked((*problems, *_rules(values)), substituted.written, substituted.data)
    # Once each: a flag that counts for all steps is wrong once. A variable that is not there has no type to be wrong.
    found = sorted(
        dict.fromkeys(
            origin.finding(_pointed(problem))
            for problem in (*substituted.problems, *(one for one in rest if one.path not in told))
        ),
        key=lambda finding: (finding.place.line or 0, finding.place.column or 0),
    )
    raise ConfigurationError(found)


def _substituted(data: Mapping[str, object], environment: Mapping[str, str] | None) -> Substituted:
    if environment is None:  # a command line, in which the shell has put variables in their places
        return Substituted(data=data, problems=(), written={}, held={})
    holder, problems = construct(_Env, {"env": data["env"]}) if "env" in data else (_Env(), ())
    # What is wrong with the table itself is told by the check of everything.
    variables = variables_of(holder.env) if holder is not None and not problems else {}
    return substitute(data, variables, environment)


@frozen(kw_only=True)
class _Env:
    env: tuple[str, ...] | Mapping[str, Scalar | Variable] = ()


def _pointed(problem: Problem) -> Problem:
    """Say where a setting belongs that may be the plugin's and stands beside what names it."""
    table = {"source": "options", "sink": "options", "steps": "with"}.get(str(problem.path[0]))
    hint = problem.hint or ""
    if problem.code != "C101" or table is None or len(problem.path) != 2 + (table == "with") or hint.startswith("did"):
        return problem
    return replace(problem, hint=f"{hint}; a setting of the plugin stands in {table} = {{ {problem.path[-1]} = ... }}")


def _rules(values: Mapping[str, object]) -> Iterator[Problem]:
    """Check what types can't say, on values whose own types may still be wrong."""
    for path, value in _walk(values, ("source", "path"), ("sink", "path")):
        if value == "":
            yield Problem(path=path, code="C104", message=f"'' is not a file name for {'.'.join(map(str, path))!r}")
    for key, least in (("max_record_bytes", LEAST_RECORD_BYTES), ("split_bytes", LEAST_SPLIT_BYTES)):
        for path, value in _walk(values, ("run", key)):
            if isinstance(value, int) and value < least:
                message = f"{value!r} is too little for {key!r}, expected at least {least}"
                yield Problem(path=path, code="C104", message=message)
    yield from _test_rules(values.get("tests"))
    listed = values.get("steps")
    steps: Sequence[object] = listed if isinstance(listed, list | tuple) else ()
    for at, step in enumerate(steps):
        yield from _limit_problems(at, step)
        for path, value in _walk(step, ("use",)):
            here: KeyPath = ("steps", at, *path)
            if path == ("use",) and value == "":
                yield Problem(path=here, code="C104", message="'' is not the name of a processor")


def run_problems(values: Mapping[str, object]) -> tuple[Problem, ...]:
    """Check values of ``[run]`` by themselves, as a file of settings has them."""
    _, problems = check(fields_of(RunConfig), values, path=("run",))
    return (*problems, *_rules({"run": values}))


def _test_rules(tests: object) -> Iterator[Problem]:
    for at, test in enumerate(tests if isinstance(tests, list | tuple) else ()):
        if isinstance(test, Mapping) and "output" not in test and "failure" not in test:
            message = "a test without 'output' and without 'failure' expects nothing"
            hint = 'say what is to come out: output = {...}, output = [] for nothing, or failure = { step = "..." }'
            yield Problem(path=("tests", at), code="C102", message=message, hint=hint)


def _walk(values: object, *paths: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], object]]:
    for path in paths:
        value = values
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        yield path, value


def _limit_problems(at: int, step: object) -> Iterator[Problem]:
    """Check that what is said of a sandbox is said of a step that has one: it would be believed."""
    if not isinstance(step, Mapping):
        return
    level, limits = step.get("isolation", "none"), step.get("sandbox")
    if limits is None or not isinstance(limits, Mapping) or level not in ("none", "process"):
        return
    if level == "none":
        message = "limits are given, but the step runs in plugline's own process, which has none"
        yield Problem(path=("steps", at, "sandbox"), code="C104", message=message, hint='add isolation = "sandbox"')
        return
    for key in ("read", "write", "net", "run", "env"):
        if key in limits:
            message = f"{key!r} is limited, but the step has no sandbox, and may touch everything"
            hint = 'isolation = "sandbox" holds it to that'
            yield Problem(path=("steps", at, "sandbox", key), code="C104", message=message, hint=hint)


def load_config(path: str, overrides: Sequence[Override] = ()) -> PipelineConfig:
    """Read a pipeline file.

    Args:
        path: The file.
        overrides: Values that count instead of the file's.

    Raises:
        ConfigurationError: It cannot be read, or is wrong; carries all findings.
    """
    found = read_source(path)
    if isinstance(found, Finding):
        if os.path.lexists(path):
            hint = "name a file in it" if os.path.isdir(path) else found.hint
            raise ConfigurationError([Finding("C109", found.message, Place(path), hint)])
        near = nearest_file(path, ".toml")
        question = f"did you mean {near!r}? else " if near is not None else ""
        hint = f"{question}run it in the folder of pipeline.toml, or name another file"
        raise ConfigurationError([Finding("C109", "there is no such file", Place(path), hint)])
    return read_config(found.content, path, overrides)
