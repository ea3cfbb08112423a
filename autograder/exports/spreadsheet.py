"""CSV that is read by programs and opened by people in spreadsheets.

A spreadsheet takes a cell for a formula when it begins with = + - or @ (or with their wide forms, where
the locale has them), and a formula can fetch a page or start a program. Names come from outside, so
`text_cell` puts an apostrophe before such a character, as spreadsheets themselves do to keep text as
text. It does so behind commas, semicolons, bars, tabs and line ends, too, because a spreadsheet whose locale
has another separator than the file begins a new cell there. Numbers, signed ones too, stay as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from autograder.exports.export import ExportError

_NUMBER = re.compile(r"\s*[+-]?\d[\d.,]*(?:[eE][+-]?\d+)?\s*%?\s*", re.ASCII)
_FORMULA = re.compile(r"(^|[,;|\t\r\n])( *)([=+\-@＝＋－＠])")
_BOM = "\ufeff"


@dataclass(frozen=True)
class Sheet:
    """The rows of a CSV file, as long as the first each, and how it was written."""

    rows: list[list[str]]
    delimiter: str
    bom: bool

    def text(self) -> str:
        file = io.StringIO(newline="")
        csv.writer(file, delimiter=self.delimiter).writerows(self.rows)
        return (_BOM if self.bom else "") + file.getvalue()


def text_cell(value: str) -> str:
    """The value as a cell that no spreadsheet takes for a formula; a number or a lone dash is none."""
    if value.strip() == "-" or _NUMBER.fullmatch(value):
        return value
    guarded = _FORMULA.sub(r"\1\2'\3", value)
    return f"'{guarded}" if guarded[:1] in ("\t", "\r", "\n", "\0") else guarded


def csv_text(rows: Iterable[Sequence[str]]) -> str:
    """Rows as a CSV file, with commas and CRLF (RFC 4180)."""
    return Sheet([list(row) for row in rows], ",", bom=False).text()


def read_sheet(text: str, what: str) -> Sheet:
    """The rows of a CSV file with commas or semicolons, whichever is more frequent in its first line.

    Empty lines are dropped and short rows filled up. Raises ExportError, which calls the file `what`.
    """
    bom, text = text.startswith(_BOM), text.removeprefix(_BOM)
    first = text.partition("\n")[0]
    delimiter = ";" if first.count(";") > first.count(",") else ","
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise ExportError(f"{what} is not valid CSV: {error}.") from None
    rows = [line for line in lines if line]
    if not rows:
        raise ExportError(f"{what} is empty.")
    for row in rows:
        if len(row) > len(rows[0]):
            raise ExportError(f"{what}: the row of {row[0]!r} has more cells than the headings.")
        row += [""] * (len(rows[0]) - len(row))
    return Sheet(rows, delimiter, bom)
