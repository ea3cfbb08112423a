"""`autograder audit`: progress while it runs, tables and files at the end."""

from __future__ import annotations

import json
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from autograder.audit.findings import Findings, Kind
from autograder.audit.judgement import findings
from autograder.audit.report import document, gallery, markdown, problems, terminal_table, write_summary
from autograder.audit.run import Outcome, Scope, Task, plan, run, tasks
from autograder.course import Course, CourseError

OUT = "audit"


def audit(
    course: Course,
    *,
    unit: str | None,
    jobs: int,
    out: Path,
    sample: int | None,
    kinds: frozenset[Kind],
    exercise: str | None,
    readme: bool,
) -> int:
    """Audit the course, or what is named of it, and return the exit status."""
    scope = _scope(course, unit, kinds, sample, exercise)
    if readme and not scope.is_whole:
        raise CourseError("--readme is for an audit of whole units; leave out what narrows it down.")
    if not out.absolute().parent.is_dir():
        raise CourseError(f"{out} cannot be written: {out.absolute().parent} is no folder.")
    console, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    begin = time.monotonic()
    plans = plan(course, scope)
    outcomes = _run_with_progress(course, tasks(plans), jobs, notes)
    found = _narrowed(findings(course, plans, outcomes), scope)
    settings = {
        "units": [each.name for each in scope.units],
        "kinds": sorted(scope.kinds),
        "sample": sample,
        "exercise": exercise,
    }
    text = json.dumps(document(found, settings, time.monotonic() - begin), ensure_ascii=False, indent=2)
    out.mkdir(exist_ok=True)
    (out / "audit.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    (out / "audit.md").write_text(markdown(found), encoding="utf-8", newline="\n")
    (out / "gallery.md").write_text(gallery(found), encoding="utf-8", newline="\n")
    for each in found.units:
        console.print(terminal_table(each))
    for what, shown in problems(found):
        console.print(Text(what, "bold"))
        if shown:
            console.print(Text("\n".join(f"    {line}" for line in shown.split("\n"))), soft_wrap=True)
    if readme:
        write_summary(course, found)
    return 0 if found.is_on_target else 1


def _scope(
    course: Course, unit: str | None, kinds: frozenset[Kind], sample: int | None, exercise: str | None
) -> Scope:
    units = course.units if unit is None else (course.unit(unit),)
    if exercise is not None:
        units = tuple(each for each in units if exercise in {known.name for known in each.exercises})
        if not units:
            where = f"unit {unit!r}" if unit is not None else "this course"
            raise CourseError(f"there is no exercise {exercise!r} in {where}.")
    if not units:
        raise CourseError("this course has no unit yet.")
    return Scope(units, kinds, sample, exercise)


def _narrowed(found: Findings, scope: Scope) -> Findings:
    """Only what is asked for: alternatives and stubs are run whole, all the same."""
    if scope.exercise is None:
        return found
    return Findings(
        tuple(
            type(unit)(unit.name, tuple(each for each in unit.exercises if each.name == scope.exercise))
            for unit in found.units
        ),
        found.not_judged,
    )


def _run_with_progress(
    course: Course, work: list[Task], jobs: int, console: Console
) -> list[tuple[Task, Outcome]]:
    outcomes: list[tuple[Task, Outcome]] = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("auditing", total=len(work))
        for task, outcome in run(course, work, jobs):
            outcomes.append((task, outcome))
            progress.update(bar, advance=1, description=f"{escape(task.unit)}: {task.kind.value}")
    return outcomes
