"""Excel: a sheet of a workbook (.xlsx), whose first row names the columns.

Reading gives what cells hold: text, numbers, truth values, dates, moments, times and durations, or no value; of a formula, what
was calculated last, and where that never happened, the row is broken. Writing refuses what Excel would change: integers beyond 53 bits, ``NaN``, decimals, zones, anything
below a millisecond, and texts of more than 32,767 characters.

ECMA-376, part 1, is what the words and limits here are taken from.
"""

import math
import re
import warnings
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice, zip_longest
from typing import Any, BinaryIO, ClassVar, TypeAlias, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import orjson

from plugline.formats._rows import decode_whole, shown
from plugline.formats._tables import seekable, unowned
from plugline.records import Broken, Position, Reader, Record, Writer

SUFFIXES = (".xlsx",)

_ROWS_A_BATCH = 1024
# What a cell holds where it could not be calculated (ECMA-376, 18.18.11).
_ERRORS = frozenset(
    {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#GETTING_DATA", "#NOT CALCULATED"}
)
_BEYOND = "beyond, "  # and a column without a name, which sheets call C, say, as a column may be named
_NOT_CALCULATED = "a formula that nothing has calculated: open the workbook in a program that does, and save it"
_PIECE_BYTES = 256 * 1024
_MOST_ROWS = 2**20  # of a sheet, the header one of them
_MOST_COLUMNS = 2**14
_MOST_CHARACTERS = 32_767  # of a cell, as UTF-16 counts them
_MOST_INTEGER = 2**53  # numbers are floats
_FIRST_DAY = date(1900, 3, 1)  # before it, Excel counts a day that never was
_DAY_ZERO = datetime(1899, 12, 30)  # noqa: DTZ001 - sheets know no zones
_MOST_DURATION = timedelta(days=2_958_465)
_SHEET_NAME = re.compile(r"[^\[\]:*?/\\]{1,31}")


def available() -> bool | str:
    """Say what is missing where openpyxl is not installed."""
    if find_spec("openpyxl") is None:
        return "it needs the package 'openpyxl': pip install 'plugline[excel]'"
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Excel:
    """A sheet of an Excel workbook.

    Attributes:
        sheet: Its name. Reading, the first of the workbook that is not hidden where it is left out; writing, ``records``.
        header: Whether the first row names the columns.
        fields: The columns in order. Reading without a header needs them, and a header that is there must name the same;
            writing, they fix the columns, which the first record does otherwise.
        skip_rows: Reading, how many rows stand before the header, or before the first record where there is none.
    """

    sheet: str | None = None
    header: bool = True
    fields: list[str] | None = None
    skip_rows: int = 0

    decodes_singly: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.sheet is not None and not _SHEET_NAME.fullmatch(self.sheet):
            raise ValueError(f"sheet {self.sheet!r}: expected 1 to 31 characters, and none of []:*?/\\")
        if self.skip_rows < 0:
            raise ValueError(f"skip_rows {self.skip_rows!r}: expected 0 or more")
        if self.fields is not None:
            _check_names("fields", self.fields)

    def reader(self) -> Reader:
        """Return a reader of the sheet.

        Raises:
            ValueError: Nothing names the columns.
        """
        if not self.header and self.fields is None:
            raise ValueError("fields: expected the columns, since no header names them")
        return _Reader(self)

    def writer(self) -> Writer:
        """Return a writer of parts, which :meth:`assemble` puts together."""
        return _Writer(self.fields)

    def assemble(self, parts: BinaryIO, stream: BinaryIO, /, *, columns: Sequence[str] | None) -> None:
        """Write a workbook with one sheet that has the rows of all parts.

        Raises:
            ValueError: They are more than a sheet has.
        """
        names = self.fields if columns is None else columns
        with ZipFile(cast("BinaryIO", unowned(stream)), "w", ZIP_DEFLATED) as archive:
            for name, text in _FILES.items():
                archive.writestr(_entry(name), text.replace("{sheet}", _escaped(self.sheet or "records")))
            with archive.open(_entry("xl/worksheets/sheet1.xml"), "w", force_zip64=True) as sheet:
                sheet.write(_SHEET_BEGIN)
                for text in _rows(parts, names or (), header=self.header):
                    sheet.write(text.encode())
                sheet.write(_SHEET_END)


def _check_names(what: str, names: Sequence[str]) -> None:
    if not 0 < len(names) <= _MOST_COLUMNS:
        raise ValueError(f"{what} has {len(names):,} columns: expected 1 to {_MOST_COLUMNS:,}")
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise ValueError(f"{what} names {twice!r} more than once: expected each column once")


# ----------------------------------------------------------------------------- reading


class _Batch:
    """Some rows, and where each stands in the sheet."""

    __slots__ = ("_lines", "_row", "raws")

    def __init__(self, raws: list[object], lines: list[int], row: int) -> None:
        self.raws = raws
        self._lines = lines
        self._row = row

    def position(self, index: int, /) -> Position:
        """Give the row of the sheet as the line."""
        return Position(line=self._lines[index], row=self._row + index)


class _Reader:
    """Reads the rows of a sheet; one file, one use."""

    def decode(self, raw: object, /) -> Record:
        """Return the record of a row.

        Raises:
            ValueError: The row is broken; or a dead letter has it as it was, which nobody has mended.
        """
        if type(raw) is dict:
            _refuse_unmended(raw)
        return decode_whole(raw)

    def __init__(self, settings: Excel) -> None:
        self._settings = settings

    def batches(self, stream: BinaryIO, /) -> Iterator[_Batch]:
        """Yield about 1,024 rows at a time; rows without any value are no records.

        Raises:
            ValueError: It is no workbook, has no such sheet, or its header is not one.
        """
        with seekable(stream) as whole:
            cells = _cells(whole, self._settings.sheet, self._settings.skip_rows)
            names = self._names(cells)
            row = 1
            while found := list(islice(cells, _ROWS_A_BATCH)):
                raws = [_record(names, line, one) for line, one in found]
                yield _Batch(raws, [line for line, _ in found], row)
                row += len(raws)

    def _names(self, cells: Iterator[tuple[int, "_Cells"]]) -> list[str]:
        fields = self._settings.fields or []
        if not self._settings.header:
            return fields
        line, header = next(cells, (0, ()))
        if not header:
            return fields
        values = [_value(cell) for cell in header]
        nameless = [_column(at) for at, value in enumerate(values) if value in {None, "", _UNCALCULATED.value}]
        what = f"the header in row {line}"
        if nameless:
            raise ValueError(
                f"{what} names no column in {', '.join(nameless)}: expected a name, or another skip_rows\n"
                f"  hint: name the columns: options = {{ header = false, skip_rows = {line}, fields = [...] }}"
            )
        names = [str(value) for value in values]
        _check_names(what, names)
        if fields and names != fields:
            raise ValueError(f"{what} names {names!r}: expected {fields!r}, as fields does")
        return names


_Cells: TypeAlias = Sequence[Any]  # of a row, to the last one that has a value


def _cells(stream: BinaryIO, sheet: str | None, skip_rows: int) -> Iterator[tuple[int, _Cells]]:
    """Yield the rows that have a value, each with its number.

    Raises:
        ValueError: It is no workbook, or has no such sheet.
    """
    import openpyxl  # when the format is named: it takes as long as a short run

    try:
        with _quietly():
            workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
    except Exception as error:
        raise ValueError(f"it is no Excel workbook (.xlsx), or it is broken: {_told(error)}") from error
    try:
        chosen = _chosen(workbook, sheet)
        uncalculated: Sequence[int] | None = None
        rows = enumerate(chosen.iter_rows(), 1)
        while True:
            try:
                if uncalculated is None:
                    with workbook._archive.open(chosen._worksheet_path) as text:  # noqa: SLF001 - it tells none itself
                        uncalculated = _uncalculated(text)
                with _quietly():
                    some = list(islice(rows, _ROWS_A_BATCH))
            except Exception as error:
                raise ValueError(f"the sheet {chosen.title!r} is broken: {_told(error)}") from error
            if not some:
                return
            for number, cells in some:
                if uncalculated and (column := uncalculated[number]):
                    cells = (*cells[: column - 1], _UNCALCULATED, *cells[column:])  # noqa: PLW2901 - the same row
                filled = len(cells)
                while filled and cells[filled - 1].value is None:
                    filled -= 1
                if filled and number > skip_rows:
                    yield number, cells[:filled]
    finally:
        workbook.close()


def _chosen(workbook: Any, sheet: str | None) -> Any:
    sheets = {one.title: one for one in workbook.worksheets}
    if sheet is not None and sheet not in sheets:
        raise ValueError(
            f"it has no sheet {sheet!r}: expected one of {list(sheets)!r}\n  hint: name one of them: options = {{ sheet = ... }}"
        )
    if not sheets:
        raise ValueError("it has no sheet with cells")
    shown = [one for one in sheets.values() if one.sheet_state == "visible"] or [*sheets.values()]
    chosen = sheets[sheet] if sheet is not None else shown[0]
    chosen.reset_dimensions()  # which some programs write wrongly
    return chosen


class _Uncalculated:
    """A cell with a formula that nothing has calculated."""

    value = "#NOT CALCULATED"
    data_type = "e"
    number_format = "General"


_UNCALCULATED = _Uncalculated()
_FORMULA_ALONE = re.compile(
    rb'<c r="([A-Z]+)(\d+)"(?![^>]*t="str")[^>]*>\s*<f(?:[^>]*/>|[^>]*[^>/]?>[^<]*</f>)\s*(?:<v\s*/>|<v>\s*</v>)?\s*</c>'
)


def _uncalculated(text: BinaryIO) -> Sequence[int]:
    """Return the column of the first formula in each row that has no value; nothing where there is none."""
    columns = array("H")
    rest = b""
    while piece := text.read(_PIECE_BYTES):
        searched = rest + piece
        for found in _FORMULA_ALONE.finditer(searched):
            columns = columns or array("H", bytes(2 * (_MOST_ROWS + 1)))
            row = int(found[2])
            if row <= _MOST_ROWS and not columns[row]:
                columns[row] = _number_of(found[1])
        rest = searched[max(searched.rfind(b"<c "), 0) :][-_PIECE_BYTES:]
    return columns


def _number_of(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep openpyxl from telling which parts of a workbook it leaves out: none of them are cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _record(names: Sequence[str], line: int, cells: _Cells) -> object:
    wrong = [
        f"{_column(at)}{line} holds {_NOT_CALCULATED if cell is _UNCALCULATED else f'the error {cell.value!r}'}"
        for at, cell in enumerate(cells)
        if cell.data_type == "e"
    ]
    values = [_value(cell) for cell in cells]
    if len(values) > len(names):
        beyond = [_column(at) for at in range(len(names), len(values)) if values[at] is not None]
        title = f"; if {names[0]!r} is no header, set skip_rows" if len(names) == 1 else ""
        wrong.append(
            f"row {line} has values in {', '.join(beyond)}, and the columns end with {_column(len(names) - 1)}{title}"
        )
    if wrong:
        more = [_BEYOND + _column(at) for at in range(len(names), len(values))]
        return Broken(dict(zip_longest([*names, *more], values)), "; ".join(wrong))
    return _Row(zip_longest(names, values))


class _Row(dict[str, object]):
    """Cells that come from a sheet, and not from a dead letter."""

    __slots__ = ()

    def copy(self) -> Record:
        return dict(self)


def _refuse_unmended(cells: Record) -> None:
    """Refuse a broken row that still is as :func:`_record` told it.

    Raises:
        ValueError: It has the error of a cell in it, or values beyond the columns.
    """
    wrong = sorted(name for name, value in cells.items() if isinstance(value, str) and value in _ERRORS)
    if wrong:
        raise ValueError(f"{', '.join(map(repr, wrong))} still holds the error of a cell: mend the row in 'raw'")
    beyond = [name.removeprefix(_BEYOND) for name in cells if name.startswith(_BEYOND)]
    if beyond:
        raise ValueError(f"the row still has a value in column {beyond[-1]}, beyond the columns: mend the row in 'raw'")


def _value(cell: Any) -> object:
    value = cell.value
    if type(value) is str:
        return _ESCAPED.sub(_unescaped, value) if "_x" in value else value
    if type(value) is datetime and _is_day(cell.number_format) and value.time() == time():
        return value.date()
    return value


@lru_cache(maxsize=256)
def _is_day(number_format: str) -> bool:
    from openpyxl.styles.numbers import is_datetime

    return bool(is_datetime(number_format.lower()) == "date")


def _column(at: int) -> str:
    """Return what a sheet calls a column."""
    letters = ""
    at += 1
    while at:
        at, letter = divmod(at - 1, 26)
        letters = chr(65 + letter) + letters
    return letters


# ----------------------------------------------------------------------------- writing


class _Writer:
    """Writes rows as lines of JSON, each cell as the text that stands in the sheet behind its place."""

    separator = b""

    def __init__(self, fields: Sequence[str] | None) -> None:
        self.columns: tuple[str, ...] | None = tuple(fields) if fields is not None else None

    def open(self, stream: BinaryIO, /, *, first: bool, columns: Sequence[str] | None = None) -> None:
        del first
        self._stream = stream
        if columns is not None:
            self.columns = tuple(columns)

    def encode(self, record: Record, /) -> object:
        """Return the line of a row.

        Raises:
            ValueError: It has other fields than the columns, or a value that Excel would change.
        """
        names = self.columns
        if names is None:
            names = tuple(record)
            _check_names("the first record", names)
            for name in names:
                if type(name) is not str or not name:
                    raise ValueError(f"key {name!r}: expected a text that is not empty, since it names a column")
                _cell(name, name)
        elif record.keys() != set(names):
            raise ValueError(f"the record has the fields {list(record)!r}: expected {list(names)!r}")
        cells = [_cell(name, record[name]) for name in names]
        if not any(cells):
            raise ValueError("the record has no value, and a row without any is no record")
        line = orjson.dumps(cells)
        self.columns = names  # which a first record that cannot be written does not fix
        return line

    def write(self, encoded: list[object], /) -> None:
        self._stream.write(b"\n".join([*cast("list[bytes]", encoded), b""]))

    def close(self, *, last: bool) -> None:
        del last


def _rows(parts: BinaryIO, names: Sequence[str], *, header: bool) -> Iterator[str]:
    columns = [_column(at) for at in range(len(names))]
    number = 0
    if header and names:
        number = 1
        yield _row(1, columns, [_cell(name, name) for name in names])
    for line in parts:
        number += 1
        if number > _MOST_ROWS:
            raise ValueError(
                f"a sheet of Excel has {_MOST_ROWS:,} rows, and there are more: write several files, or another format"
            )
        yield _row(number, columns, orjson.loads(line))


def _row(number: int, columns: Sequence[str], cells: Sequence[str | None]) -> str:
    filled = [
        f'<c r="{column}{number}"{cell}</c>' for column, cell in zip(columns, cells, strict=True) if cell is not None
    ]
    return f'<row r="{number}">{"".join(filled)}</row>'


def _cell(name: str, value: object) -> str | None:
    """Return what stands in a cell behind its place, ``None`` where there is no cell.

    Raises:
        ValueError: Excel has nothing like the value, or would change it.
    """
    if value is None:
        return None
    make = _MAKERS.get(type(value))
    expected = "expected text, a number, a truth value, a date, a time, a moment without a zone, or a duration"
    if make is not None:
        made, expected = make(value)
        if made is not None:
            return made
    raise ValueError(f"column {name!r} holds {shown(value)} ({type(value).__name__}): {expected}")


_Made: TypeAlias = tuple[str | None, str]  # or what was expected


def _of_text(value: str) -> _Made:
    if not value.isascii():
        try:
            wide = len(value.encode("utf-16-le")) // 2
        except UnicodeEncodeError:
            return None, "expected text without half of a surrogate pair"
    else:
        wide = len(value)
    if wide > _MOST_CHARACTERS:
        return None, f"expected at most {_MOST_CHARACTERS:,} characters"
    return f' t="inlineStr"><is><t xml:space="preserve">{_escaped(value)}</t></is>', ""


def _of_truth(value: bool) -> _Made:  # noqa: FBT001 - a value
    return f' t="b"><v>{value:d}</v>', ""


def _of_integer(value: int) -> _Made:
    if abs(value) > _MOST_INTEGER:
        return None, "expected at most 53 bits, which is what the numbers of Excel have"
    return f"><v>{value}</v>", ""


def _of_float(value: float) -> _Made:
    if not math.isfinite(value):
        return None, "expected a finite number"
    return f"><v>{value!r}</v>", ""


def _of_date(value: date) -> _Made:
    if value < _FIRST_DAY:
        return None, "expected no day before March 1900, which is counted differently"
    return f' s="1"><v>{(value - _DAY_ZERO.date()).days}</v>', ""


def _of_moment(value: datetime) -> _Made:
    if value.tzinfo is not None:
        return None, "expected no zone: Excel knows none, cast it before"
    if value.date() < _FIRST_DAY or value.microsecond % 1000:
        return None, "expected whole milliseconds from March 1900 on"
    return f' s="2"><v>{_days(value - _DAY_ZERO)}</v>', ""


def _of_time(value: time) -> _Made:
    if value.tzinfo is not None or value.microsecond % 1000:
        return None, "expected whole milliseconds and no zone"
    return f' s="3"><v>{_days(datetime.combine(_DAY_ZERO, value) - _DAY_ZERO)}</v>', ""


def _of_duration(value: timedelta) -> _Made:
    if value.microseconds % 1000 or not timedelta() <= value <= _MOST_DURATION:
        return None, f"expected whole milliseconds, nothing negative and at most {_MOST_DURATION.days:,} days"
    return f' s="4"><v>{_days(value)}</v>', ""


def _days(value: timedelta) -> str:
    return repr(value / timedelta(days=1))


_MAKERS: Mapping[type, Callable[[Any], _Made]] = {
    str: _of_text,
    bool: _of_truth,
    int: _of_integer,
    float: _of_float,
    date: _of_date,
    datetime: _of_moment,
    time: _of_time,
    timedelta: _of_duration,
}

# What XML has no characters for stands as _x0007_, and so does what looks like that.
_TO_ESCAPE = re.compile("[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")


def _escaped(text: str) -> str:
    text = _TO_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16))


def _entry(name: str) -> ZipInfo:
    """Return an entry of a zip file that is the same each time."""
    entry = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    entry.compress_type = ZIP_DEFLATED
    return entry


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KIND = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_SHEET_BEGIN = f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode()
_SHEET_END = b"</sheetData></worksheet>"

# Everything of a workbook but the sheet. Formats of numbers have a place each, from 164 on, which the cells name as s="1" and so on.
_NUMBER_FORMATS = ("yyyy\\-mm\\-dd", "yyyy\\-mm\\-dd\\ hh:mm:ss.000", "hh:mm:ss.000", "[h]:mm:ss.000")
_FILES: Mapping[str, str] = {
    "[Content_Types].xml": f"""{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/xl/workbook.xml" ContentType="{_KIND}.sheet.main+xml"/><Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_KIND}.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="{_KIND}.styles+xml"/></Types>""",
    "_rels/.rels": f"""{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/></Relationships>""",
    "xl/workbook.xml": f"""{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets><sheet name="{{sheet}}" sheetId="1" r:id="rId1"/></sheets></workbook>""",
    "xl/_rels/workbook.xml.rels": f"""{_XML}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/worksheet" Target="worksheets/sheet1.xml"/><Relationship Id="rId2" Type="{_OFFICE}/styles" Target="styles.xml"/></Relationships>""",
    "xl/styles.xml": f"""{_XML}<styleSheet xmlns="{_MAIN}"><numFmts count="4">{"".join(f'<numFmt numFmtId="{at}" formatCode="{code}"/>' for at, code in enumerate(_NUMBER_FORMATS, 164))}</numFmts><fonts count="1"><font><sz val="11"/><name val="Calibri"/></font></fonts><fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills><borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders><cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs><cellXfs count="5"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>{"".join(f'<xf numFmtId="{at}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>' for at in range(164, 168))}</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>""",
}
