"""Environment variables that a pipeline declares to the values in which it names them.

``${NAME}`` stands for a variable that ``[env]`` declares; a value that is nothing else takes the variable's type.
``$${NAME}`` is the text ``${NAME}``. Any other ``$`` is itself.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from plugline.contract.settings import KeyPath, Problem
from plugline.findings import Finding, Place
from plugline.frozen import frozen
from plugline.names import nearest

Scalar = str | int | float | bool
VariableType = Literal["string", "integer", "number", "boolean"]

# Records of tests are data; what declares variables holds none.
_WITHOUT_VARIABLES = ("env", "tests")
_REFERENCE = r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}"
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@frozen(kw_only=True)
class Variable:
    """A variable of the environment that the values of a pipeline may name.

    Attributes:
        default: What it is where the environment does not say; without one it has to be set.
        type: What its text is read as; left out: as the default's type, else a string.
    """

    default: Scalar | None = None
    type: VariableType | None = None

    @property
    def kind(self) -> VariableType:
        """What its text is read as."""
        if self.type is not None:
            return self.type
        match self.default:
            case bool():
                return "boolean"
            case int():
                return "integer"
            case float():
                return "number"
        return "string"


Declared = Sequence[str] | Mapping[str, Scalar | Variable]
"""A list of names that have to be set, or a table of names with their defaults."""


def variables_of(declared: Declared) -> dict[str, Variable]:
    """Return the variables that ``[env]`` declares."""
    if not isinstance(declared, Mapping):
        return {name: Variable() for name in declared}
    return {name: value if isinstance(value, Variable) else Variable(default=value) for name, value in declared.items()}


@frozen(kw_only=True)
class Substituted:
    """Values with variables in their places.

    Attributes:
        data: The values.
        problems: What could not be put in place.
        written: Of each value that held a variable, what stands in the file, so that no message shows a secret.
        held: What the variables that are named hold in the environment, for the same reason.
    """

    data: Mapping[str, object]
    problems: tuple[Problem, ...]
    written: Mapping[KeyPath, str]
    held: Mapping[str, str]


def substitute(
    data: Mapping[str, object], variables: Mapping[str, Variable], environment: Mapping[str, str]
) -> Substituted:
    """Put variables in their places in all strings of a pipeline."""
    work = _Substitution(variables, environment)
    done = {key: value if key in _WITHOUT_VARIABLES else work.value(value, (key,)) for key, value in data.items()}
    return Substituted(data=done, problems=tuple(work.problems), written=work.written, held=work.held)


class _Substitution:
    def __init__(self, variables: Mapping[str, Variable], environment: Mapping[str, str]) -> None:
        self._variables = variables
        self._environment = environment
        self.problems: list[Problem] = []
        self.written: dict[KeyPath, str] = {}
        self.held: dict[str, str] = {}

    def value(self, value: object, path: KeyPath) -> object:
        match value:
            case str() if "${" in value:
                return self._text(value, path)
            case Mapping():
                return {key: self.value(one, (*path, key)) for key, one in value.items()}
            case list():
                return [self.value(one, (*path, index)) for index, one in enumerate(value)]
        return value

    def _text(self, text: str, path: KeyPath) -> object:
        if "${" not in text:  # nearly always, and then the expression need not be compiled
            return text
        whole = re.fullmatch(_REFERENCE, text)
        if whole is not None and not whole[1]:
            self.written[path] = text
            return self._variable(whole[2], path, text)

        def found(match: re.Match[str]) -> str:
            if match[1]:
                return match[0][1:]
            self.written[path] = text
            value = self._variable(match[2], path, match[0])
            return str(value).lower() if isinstance(value, bool) else str(value)

        return re.sub(_REFERENCE, found, text)

    def _variable(self, name: str, path: KeyPath, text: str) -> object:
        """Return what a variable is; where that can't be known, what stands in the file, for which a problem is told."""
        variable = self._variables.get(name)
        if variable is None:
            self.problems.append(_undeclared(name, path, self._variables))
            return text
        said = self._environment.get(name)
        if said is None:
            if variable.default is None:
                hint = f'set it: {name}=... plugline run ..., or give it a default: [env] {name} = "..."'
                message = f"the environment variable {name!r} is not set, and has no default in [env]"
                self.problems.append(Problem(path=path, code="C131", message=message, hint=hint))
                return text
            return variable.default
        self.held[name] = said
        value = _read(said, variable.kind)
        if value is None:
            # What it is instead is not told: it may be a secret that was put into the wrong variable.
            message = (
                f"the environment variable {name!r} does not hold what [env] says, expected {_NAMED[variable.kind]}"
            )
            self.problems.append(Problem(path=path, code="C132", message=message))
            return text
        return value


_NAMED: Mapping[VariableType, str] = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "true or false",
}


def _read(text: str, kind: VariableType) -> Scalar | None:
    try:
        match kind:
            case "string":
                return text
            case "integer":
                return int(text)
            case "number":
                return float(text)
            case "boolean":
                return _BOOLEANS.get(text.strip().lower())
    except ValueError:
        return None


def _undeclared(name: str, path: KeyPath, known: Mapping[str, Variable]) -> Problem:
    near = nearest(name, known)
    question = f"did you mean {near!r}? " if near is not None else ""
    message = f"the environment variable {name!r} is not declared in [env]"
    hint = f'{question}declare it in the first line: env = ["{name}"]; for the text itself write $${{{name}}}'
    return Problem(path=path, code="C130", message=message, hint=hint)


def masked(
    problems: Sequence[Problem], written: Mapping[KeyPath, str], data: Mapping[str, object]
) -> Iterator[Problem]:
    """Yield problems whose messages show what stands in the file in place of what a variable held."""
    for problem in problems:
        shown = written.get(problem.path)
        value = _at(data, problem.path)
        if shown is None or value is None:
            yield problem
            continue
        yield Problem(
            path=problem.path,
            code=problem.code,
            message=problem.message.replace(repr(value), repr(shown)),
            hint=None if problem.hint is not None and repr(value) in problem.hint else problem.hint,
            on_key=problem.on_key,
        )


def veiled(findings: Sequence[Finding], held: Mapping[str, str], path: str) -> list[Finding]:
    """Return findings that tell the names of variables in the place of what these hold; ``path``, the pipeline's own, stays.

    A value of less than four characters, which may stand in any message by chance, is one only where it stands in quotes.
    """
    veils: dict[str, str] = {}
    for name, value in held.items():
        for text in filter(None, (value, repr(value)[1:-1])):  # as it is, and as messages quote it
            shown = f"${{{name}}}"
            is_short = len(text) < _TELLING_CHARACTERS
            veils[repr(text) if is_short else text] = repr(shown) if is_short else shown
    if not veils:
        return list(findings)
    # The longest first, which may have another in it.
    values = re.compile("|".join(map(re.escape, sorted(veils, key=len, reverse=True))))

    def veil(said: str) -> str:
        return values.sub(lambda found: veils[found[0]], said)

    return [
        Finding(
            one.code,
            veil(one.message),
            one.place if one.place.path == path else Place(veil(one.place.path), one.place.line, one.place.column),
            None if one.hint is None else veil(one.hint),
            one.source_line,
            one.severity,
        )
        for one in findings
    ]


_TELLING_CHARACTERS = 4


def _at(data: object, path: KeyPath) -> object:
    for part in path:
        if isinstance(data, Mapping):
            data = data.get(part)
        elif isinstance(data, list) and isinstance(part, int) and part < len(data):
            data = data[part]
        else:
            return None
    return data
