"""Tab-separated values: as CSV, with a tab between two fields."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from plugline.formats.csv import Csv
from plugline.records import Reader, Writer

SUFFIXES = (".tsv", ".tab")


@dataclass(kw_only=True, eq=False, repr=False)
class Tsv:
    """Tab-separated values.

    Attributes:
        header: Whether the first row names the columns.
        fields: The columns in order, as for ``csv``.
        types: What the text in a column is, as for ``csv``.
        quotechar: What encloses a field that holds a tab, a quote or a line break.
        encoding: The encoding of the text, by Python's name.
        null: The field that means no value.
        skip_lines: Reading, how many lines stand before the header, as for ``csv``.
    """

    header: bool = True
    fields: list[str] | None = None
    types: dict[str, Literal["str", "int", "float", "bool", "decimal", "date", "datetime"]] = field(
        default_factory=dict
    )
    quotechar: str = '"'
    encoding: str = "utf-8"
    null: str = ""
    skip_lines: int = 0

    def __post_init__(self) -> None:
        self._as_csv()

    def _as_csv(self) -> Csv:
        return Csv(
            delimiter="\t",
            header=self.header,
            fields=self.fields,
            types=self.types,
            quotechar=self.quotechar,
            encoding=self.encoding,
            null=self.null,
            skip_lines=self.skip_lines,
        )

    @property
    def record_end(self) -> Callable[[bytes], int]:
        """Find the ends of rows; not there in encodings of which only whole texts can be cut."""
        return self._as_csv().record_end

    @property
    def header_end(self) -> Callable[[bytes], int]:
        """Find the end of the header; not there where :attr:`record_end` is not."""
        return self._as_csv().header_end

    def reader(self) -> Reader:
        """Return a reader of rows.

        Raises:
            ValueError: Nothing names the columns.
        """
        return self._as_csv().reader()

    def writer(self) -> Writer:
        """Return a writer of rows."""
        return self._as_csv().writer()
