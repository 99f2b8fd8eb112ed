"""One result of a check, with the place it is about."""

from plugline.values import Value


def short_repr(value: object) -> str:
    """Return the first 60 characters of a value's ``repr``, whatever that does; it may be a plugin's own."""
    try:
        shown = repr(value)
    except Exception as error:  # noqa: BLE001 - foreign code: what it raises is named instead
        return f"a {type(value).__name__} whose repr raises {type(error).__name__}"
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def printable(text: str) -> str:
    """Return ``text`` with everything escaped that could move a cursor, begin a line or not be written at all."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def printable_lines(text: str) -> str:
    """Do the same for a text of several lines; tabs stay, and where its own lines end."""
    if text.isprintable():
        return text
    return "\n".join("\t".join(map(printable, line.split("\t"))) for line in text.split("\n"))


def apart(said: str) -> tuple[str, str | None]:
    """Take apart what an error says and the hint that ours have on a line of its own."""
    message, _, hint = said.partition("\n  hint: ")
    return message, hint or None


def first_line(text: str) -> str:
    """Return the first line of a text as a summary: printable, with single spaces."""
    stripped = text.strip()
    # What is listed is printed: nothing of it may move a cursor.
    return printable(" ".join(stripped.splitlines()[0].split())) if stripped else ""


class Place(Value):
    """Where a finding is: a file, or a line and a column of it, both counted from 1."""

    __slots__ = ("column", "line", "path")
    path: str
    line: int | None
    column: int | None

    def __init__(self, path: str, line: int | None = None, column: int | None = None) -> None:
        put = object.__setattr__  # as _set does, in half the time: one is made for each plugin
        put(self, "path", path)
        put(self, "line", line)
        put(self, "column", column)

    def __str__(self) -> str:
        """Return ``path:line:column`` as far as it is known, which terminals and editors open."""
        return ":".join(str(part) for part in (self.path, self.line, self.column) if part is not None)


class Finding(Value):
    """One thing that is wrong: what, where and what to do. The shape is the Language Server Protocol's ``Diagnostic``.

    Attributes:
        code: Stable, ``P…`` for plugins, ``C…`` configuration, ``R…`` records and runs, ``T…`` trust.
        message: What was met and what was expected; may improve at any time.
        place: Where it is.
        hint: What to do about it, one line, where there is something to say.
        source_line: The text of the line, for showing it with a caret.
        severity: ``"error"`` where it keeps a plugin from being used, ``"warning"`` where it does not.
    """

    __slots__ = ("code", "hint", "message", "place", "severity", "source_line")
    code: str
    message: str
    place: Place
    hint: str | None
    source_line: str | None
    severity: str

    def __init__(
        self,
        code: str,
        message: str,
        place: Place,
        hint: str | None = None,
        source_line: str | None = None,
        severity: str = "error",
    ) -> None:
        self._set(code=code, message=message, place=place, hint=hint, source_line=source_line, severity=severity)

    @property
    def is_error(self) -> bool:
        """Whether it keeps a plugin from being used."""
        return self.severity == "error"

    @property
    def column_to_show(self) -> int:
        """Where the caret stands: at the column, and where that is not known, at the beginning of what is on the line."""
        if self.place.column is not None:
            return self.place.column
        line = self.source_line or ""
        return len(line) - len(line.lstrip()) + 1

    @property
    def advice(self) -> str:
        """What to do: the hint, and where there is none, what is advised for every finding of the code."""
        if self.hint is not None:
            return self.hint
        from plugline.codes import CODES  # a long table, for few findings

        remedy = CODES[self.code].remedy.partition(". ")[0].rstrip(".") if self.code in CODES else "see the message"
        return remedy if remedy.startswith("plugline") else remedy[:1].lower() + remedy[1:]

    def __str__(self) -> str:
        """Return the finding as people read it: at most four lines, the hint last."""
        lines = [printable(f"{self.severity}[{self.code}] {self.place}: {self.message}")]
        if self.source_line is not None and self.place.line is not None:
            source, before = _around(self.source_line, self.column_to_show - 1)
            shown = "\t".join(printable(part) for part in source.split("\t"))
            lines.append(f"  | {self.place.line} | {shown}")
            # Tabs are kept, so that the caret stands under its column whatever a tab's width is.
            blank = "".join("\t" if character == "\t" else " " for character in before)
            lines.append(f"  | {' ' * len(str(self.place.line))} | {blank}^")
        lines.append(f"  hint: {printable(self.advice)}")
        return "\n".join(lines)


_MOST_SHOWN = 160  # characters of a source line; data and generated code have lines of thousands


def _around(line: str, at: int) -> tuple[str, str]:
    """Return what is shown of a line, which is its part around a column where it is long, and what of that is before it."""
    if len(line) <= _MOST_SHOWN:
        return line, line[:at]
    begin = max(0, min(at, len(line)) - _MOST_SHOWN // 2)
    before = "..." if begin else ""
    after = "..." if begin + _MOST_SHOWN < len(line) else ""
    return f"{before}{line[begin : begin + _MOST_SHOWN]}{after}", before + line[begin:at]
