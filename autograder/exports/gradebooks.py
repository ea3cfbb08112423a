"""Files that the gradebooks of Canvas and Moodle import."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from autograder.exports.export import Export, ExportError, Scores, by_key, earned, finite, number, shown
from autograder.exports.spreadsheet import Sheet, csv_text, read_sheet, text_cell
from autograder.store.results import Graded

CANVAS_COLUMNS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
LOGIN = "SIS Login ID"
_ROSTER = "the Canvas roster"
_POINTS = "Points Possible"
# An assignment's heading is its name and, in brackets, Canvas' own number for it.
_ASSIGNMENT = re.compile(r"(.*?)\s*\((\d+)\)", re.DOTALL | re.ASCII)


def canvas_csv(
    roster: str,
    graded: Iterable[Graded],
    *,
    assignments: Mapping[str, str] = MappingProxyType({}),
    identity: str = LOGIN,
    score: Scores = earned,
) -> Export:
    """The gradebook that Canvas exported (`roster`), with the points of these results filled in.

    Every row and column stays; cells of students without a result stay as they are. A unit's column is
    headed by what `assignments` says, `name (id)` or the name alone, or else by the unit's own name. A
    student's folder is named like the cell in the column `identity`. Free text is kept from becoming
    a formula, headings are not touched: Canvas finds assignments by them, and students by ID first.

    Students who are not in the roster, and whose results are thus in no row, are the export's `problems`.
    Raises ExportError where columns or the row of points are missing, a unit has no column or another
    maximum than in Canvas, two rows have one identity, or a score is not finite.
    """
    results = by_key(graded)
    sheet = read_sheet(roster, _ROSTER)
    headings = [cell.strip() for cell in sheet.rows[0]]
    for name in (*CANVAS_COLUMNS, identity):
        if name not in headings:
            raise ExportError(f"{_ROSTER} has no column {name!r}; export it from Canvas' gradebook again.")
    points = next((row for row in sheet.rows[1:] if row[0].strip() == _POINTS), None)
    if points is None:
        raise ExportError(f"{_ROSTER} has no row {_POINTS!r}; export it from Canvas' gradebook again.")
    below = sheet.rows.index(points)
    rows = _rows_by_identity(sheet.rows[below + 1 :], headings, identity)
    columns = {unit: _column(unit, assignments, headings) for unit in sorted({unit for _, unit in results})}
    if len(set(columns.values())) < len(columns):
        raise ExportError(f"two units have the same column: {', '.join(columns)}; name one for each.")
    maxima: dict[str, float] = {}
    missing: dict[str, list[str]] = {}
    for row in sheet.rows[below + 1 :]:
        row[:] = [text_cell(cell) for cell in row]
    for (student, unit), each in results.items():
        maximum = finite(each.result.max_score, each)
        if maxima.setdefault(unit, maximum) != maximum:
            raise ExportError(f"results for {unit} are of {maxima[unit]:g} and {maximum:g}; grade all again.")
        value = number(finite(score(each), each))
        if student in rows:
            rows[student][columns[unit]] = value
        else:
            missing.setdefault(student, []).append(unit)
    for unit, maximum in maxima.items():
        _fill_points(points, columns[unit], headings, unit, maximum)
    problems = tuple(
        f"{shown(student)} has points for {', '.join(units)} and is not in the roster: no {identity} "
        "is so called."
        for student, units in missing.items()
    )
    return Export(Sheet(sheet.rows, sheet.delimiter, sheet.bom).text(), problems)


def moodle_csv(
    graded: Iterable[Graded],
    unit: str,
    *,
    identity: str = "username",
    item: str | None = None,
    score: Scores = earned,
) -> Export:
    """The points of one unit for Moodle's import of grades: a column `identity` (username, email or
    idnumber, which the import asks to be matched), and one for the grade item, by default the unit.

    One file a unit: an empty cell would clear the grade that Moodle has. Students whose name a
    spreadsheet could take for a formula are the export's `problems`: a changed name is nobody's.
    Raises ExportError where nobody has a result for the unit, somebody has two, or a score is not finite.
    """
    rows = [(identity, item or unit)]
    problems = []
    for (student, of_unit), each in by_key(graded).items():
        if of_unit != unit:
            continue
        value = number(finite(score(each), each))
        if text_cell(student) == student:
            rows.append((student, value))
        else:
            problems.append(
                f"{shown(student)} has {value} points and is left out: a spreadsheet could take the "
                "name for a formula; enter them by hand."
            )
    if len(rows) == 1 and not problems:
        raise ExportError(f"there is no result for {shown(unit)} to export.")
    return Export(csv_text(rows), tuple(problems))


def _rows_by_identity(rows: list[list[str]], headings: list[str], identity: str) -> dict[str, list[str]]:
    at = headings.index(identity)
    found: dict[str, list[str]] = {}
    for row in rows:
        name = row[at].strip()
        if name in found:
            raise ExportError(f"{_ROSTER} has two rows whose {identity} is {name!r}; remove one.")
        if name:  # Canvas' own test student has none
            found[name] = row
    return found


def _column(unit: str, assignments: Mapping[str, str], headings: list[str]) -> int:
    wanted = assignments.get(unit, unit)
    known = [(at, cell) for at, cell in enumerate(headings) if _ASSIGNMENT.fullmatch(cell)]
    exact = [at for at, cell in known if cell == wanted]
    matches = exact or [at for at, cell in known if _name(cell) == wanted]
    if len(matches) == 1:
        return matches[0]
    listed = ", ".join(cell for _, cell in known) or "none"
    if matches:
        raise ExportError(f"{_ROSTER} has several assignments {wanted!r}; name one with its id ({listed}).")
    raise ExportError(f"{_ROSTER} has no assignment {wanted!r} for {unit}; it has: {listed}.")


def _name(heading: str) -> str:
    match = _ASSIGNMENT.fullmatch(heading)
    return match[1] if match else heading


def _fill_points(points: list[str], column: int, headings: list[str], unit: str, maximum: float) -> None:
    """Canvas keeps its own maximum whatever the file says, so another one would skew every grade."""
    cell = points[column].strip()
    try:
        agrees = not cell or math.isclose(float(cell.replace(",", ".")), maximum)
    except ValueError:
        agrees = False
    if not agrees:
        raise ExportError(
            f"{headings[column]!r} has {cell} {_POINTS.lower()} in Canvas and {unit} has {number(maximum)}; "
            "change it in Canvas and export again."
        )
    if not cell:
        points[column] = number(maximum)
