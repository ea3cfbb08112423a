"""The command `diagnosis`."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.status import Status

from autograder.course import Course, Unit
from autograder.diagnosis.build import build_tables
from autograder.grading.session import GradingSession
from autograder.mistakes import Mistake


def write_tables(course: Course, units: tuple[Unit, ...]) -> None:
    """Make the tables of `units` anew and say what they cannot tell."""
    console = Console(stderr=True)
    for unit in units:
        with console.status(unit.name) as status, GradingSession(course, (unit.name,)) as session:
            tables = build_tables(session, unit, partial(_show, status))
        for path, text in tables.texts.items():
            print(f"{_state(path, text)}  {path.relative_to(course.root)}")
            path.write_text(text, encoding="utf-8")
        for problem in tables.problems:
            print(f"  {problem}", file=sys.stderr)


def _show(status: Status, mistake: Mistake) -> None:
    status.update(f"{mistake.exercise}: {mistake.name}")


def _state(path: Path, text: str) -> str:
    if not path.exists():
        return "new      "
    return "unchanged" if path.read_text(encoding="utf-8") == text else "changed  "
