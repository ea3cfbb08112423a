"""Stubs from solutions: what a student gets of a module is the module without its marked regions.

nbgrader's ClearSolutions does the replacing, for modules as it does for notebooks. What it passes
over in silence (a stray END, a marker in the middle of a line) is an error here, with its line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course import Course, CourseError

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"


class StubError(CourseError):
    """A solution's markers are wrong; the message is one sentence that begins with file:line."""


@dataclass(frozen=True)
class Stub:
    """The released module `path`: what should stand there, and what does (None where it is missing)."""

    path: Path
    source: str
    current: str | None

    def __str__(self) -> str:
        return "/".join(self.path.parts[-3:])

    @property
    def is_stale(self) -> bool:
        return self.current != self.source


def make_stub(source: str, where: str) -> str:
    """`source` with `# YOUR CODE HERE` and `raise NotImplementedError()` in place of each region.

    `where` is the file's name for messages. Raises StubError where markers are misplaced, where
    there are none, or where the stub could not be imported; CourseError where nbgrader is missing.
    """
    solution_regions(source, where)
    new_code_cell, clear_solutions = _clear_solutions()
    cell = new_code_cell(source)
    clear_solutions._replace_solution_region(cell, "python")
    stub: str = cell.source
    _reject_code_on_import(stub, where)
    return stub


def solution_regions(source: str, where: str) -> list[tuple[int, list[str]]]:
    """Each region's first line number and its lines, markers aside. Raises StubError as `make_stub` does."""
    regions: list[tuple[int, list[str]]] = []
    begin: int | None = None
    lines = source.split("\n")  # as nbgrader splits them
    for number, line in enumerate(lines, 1):
        marker = line.strip()
        if marker == BEGIN:
            if begin is not None:
                raise StubError(f"{where}:{number}: {BEGIN!r} inside the region that begins in line {begin}.")
            begin = number
        elif marker == END:
            if begin is None:
                raise StubError(f"{where}:{number}: {END!r} without a {BEGIN!r} before it.")
            region = lines[begin : number - 1]
            if not any(line.strip() for line in region):
                raise StubError(f"{where}:{begin}: the region that begins here is empty.")
            regions.append((begin + 1, region))
            begin = None
        elif "BEGIN SOLUTION" in line or "END SOLUTION" in line:
            raise StubError(
                f"{where}:{number}: a marker must be alone on its line and read {BEGIN!r} or {END!r}."
            )
    if begin is not None:
        raise StubError(f"{where}:{begin}: the region that begins here has no {END!r}.")
    if not regions:
        raise StubError(
            f"{where}:1: no solution region; mark what a student writes with {BEGIN!r} and {END!r}."
        )
    return regions


def stubs(course: Course) -> Iterator[Stub]:
    """The stub of every module of every unit. Raises CourseError where a unit lacks a solution."""
    if not course.solutions.is_dir():
        raise CourseError(
            f"{course.root} holds no solutions/: this is a released course, and has only stubs."
        )
    for unit in course.units:
        for module in unit.modules:
            path = unit.public / f"{module}.py"
            solution = course.solutions / unit.name / path.name
            where = solution.relative_to(course.root).as_posix()
            try:
                source = solution.read_text(encoding="utf-8")
            except FileNotFoundError:
                raise CourseError(f"{where} is missing: stubs are made from solutions.") from None
            except UnicodeDecodeError:
                raise CourseError(f"{where} is not valid UTF-8.") from None
            yield Stub(path, make_stub(source, where), _read(path))


def stale_stubs(course: Course) -> list[Stub]:
    """The stubs under assignments/ that are missing or differ from what their solutions give."""
    return [stub for stub in stubs(course) if stub.is_stale]


def write_stubs(course: Course) -> list[Stub]:
    """Bring the stubs under assignments/ in step with the solutions; returns those that changed.

    Nothing is written unless every stub can be made.
    """
    stale = stale_stubs(course)
    for stub in stale:
        stub.path.write_text(stub.source, encoding="utf-8", newline="\n")
    return stale


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        return ""  # whatever it is, it is no stub


def _reject_code_on_import(stub: str, where: str) -> None:
    """A stub must raise when it is called, not when it is imported: one exercise must not cost the others."""
    try:
        pending: list[ast.AST] = [ast.parse(stub)]
    except SyntaxError as error:
        raise StubError(
            f"{where}: line {error.lineno} of its stub is not valid Python ({error.msg})."
        ) from None
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Raise):
            line = node.lineno
            raise StubError(
                f"{where}: line {line} of its stub would raise on import; mark function bodies only."
            )
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            pending.extend(ast.iter_child_nodes(node))


def _clear_solutions() -> tuple[Any, Any]:
    # Here and not above: nbgrader is an instructor's extra and loads four server extensions.
    try:
        from nbformat.v4 import new_code_cell
        from nbgrader.preprocessors import ClearSolutions
    except ImportError as error:
        raise CourseError(
            f"making stubs needs nbgrader ({error}); install the instructor's packages: "
            "pip install -c constraints.txt -e '.[instructor]'."
        ) from None
    return new_code_cell, ClearSolutions()
