"""`autograder grade`: progress while it runs, a table and files at the end."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from autograder.course import Course, CourseError
from autograder.grading.class_folder import Rejected, read_class
from autograder.grading.keeping import Change, change_table, changes, still_to_grade
from autograder.grading.pool import grade_all
from autograder.reports import write_reports
from autograder.results import Status, UnitResult
from autograder.sandbox import SandboxError, prepare
from autograder.store.files import file_name, write_whole
from autograder.store.results import Graded, ResultStore
from autograder.table import advice, points, what_happened


def grade_class(
    course: Course,
    submitted: Path,
    *,
    unit: str | None,
    jobs: int,
    json_file: Path | None,
    out: Path | None,
    sandboxed: bool,
    regrade: bool = False,
) -> int:
    """Grade the class in `submitted` and return the exit status.

    With `out`, a result is written there as soon as it is known, and a later run grades what changed since:
    the submission, or the course. With `regrade` it grades all, and says who gains and who loses.
    """
    if unit is not None:
        course.unit(unit)  # an unknown one is bad usage
    for target in (json_file, out):
        if target is not None and not target.absolute().parent.is_dir():
            raise CourseError(f"{target} cannot be written: {target.absolute().parent} is no folder.")
    try:
        tasks, rejected = read_class(submitted, course, unit)
    except OSError as error:
        raise CourseError(
            f"{submitted} cannot be read ({(error.strerror or str(error)).lower()}); name the class's folder."
        ) from None
    store = None if out is None else ResultStore(out / "results")
    kept: list[Graded] = []
    if store is not None and not regrade:
        tasks, kept = still_to_grade(course, tasks, store)
    if sandboxed:
        _require_seccomp()
    console, notes = Console(highlight=False), Console(stderr=True, highlight=False)
    if not sandboxed:
        notes.print("[bold red]no sandbox:[/] submissions run with your rights on this machine.")

    if kept:
        notes.print(f"{len(kept)} unchanged since they were graded (--regrade grades them again).")
    graded = list(kept)
    changed: list[Change] = []
    interrupted = False
    outcomes = grade_all(course, tasks, jobs=jobs, sandboxed=sandboxed)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=notes, transient=True) as progress:
            bar = progress.add_task("grading", total=len(tasks))
            for task, outcome in outcomes:
                progress.update(bar, advance=1, description=f"graded {escape(task.student)}")
                if isinstance(outcome, Rejected):
                    rejected.append(outcome)
                    continue
                graded.append(outcome)
                if store is not None:
                    before = store.get(*outcome.key)
                    store.put(outcome)
                    changed += [] if before is None else changes(before.result, outcome.result)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        # Also on Ctrl-C and on an error: what was graded is kept.
        graded.sort(key=lambda each: each.key)
        results = [each.result for each in graded]
        if json_file is not None:
            write_whole(
                json_file,
                json.dumps(_document(course, results, rejected), ensure_ascii=False, indent=2) + "\n",
            )
        if out is not None:
            _write_reports(course, out, graded, rejected)
    if results:
        console.print(class_table(results))
        if any(check.status is Status.SKIPPED for r in results for e in r.exercises for check in e.checks):
            console.print("Skipped checks are not verifiable here: they cost no points and earn none.")
    if changed:
        console.print(change_table(changed))
    for rejection in rejected:
        notes.print(Text.assemble(("not graded  ", "bold"), str(rejection)))
    if not results and not tasks and not rejected:
        lay = f"lay them as {submitted.name}/<student>/<unit>/*.py."
        notes.print(Text(f"{submitted} holds no submission: {lay}"))
    if interrupted:
        notes.print(f"interrupted: {len(results)} of {len(tasks) + len(kept)} submissions are graded.")
    return 1 if rejected or interrupted or not results else 0


def class_table(results: list[UnitResult]) -> Table:
    """A line a submission: its score, and what to look at first."""
    units = {result.unit for result in results}
    only = units.pop() if len(units) == 1 else None
    table = Table(title="class" if only is None else f"class · {only}", title_justify="left")
    table.add_column("student")
    if only is None:
        table.add_column("unit")
    table.add_column("points", justify="right")
    table.add_column("exercises", justify="right")
    table.add_column("skipped", justify="right")
    table.add_column("what happened", overflow="fold")
    for result in results:
        full = sum(exercise.score == exercise.max_score for exercise in result.exercises)
        style = "green" if result.score == result.max_score else "red" if result.score == 0 else "yellow"
        table.add_row(
            Text(result.student),
            *([result.unit] if only is None else []),
            Text(f"{points(result.score)} of {points(result.max_score)}", style),
            f"{full} of {len(result.exercises)}",
            str(sum(check.status is Status.SKIPPED for each in result.exercises for check in each.checks)),
            Text(what_happened(result)),
        )
    return table


def _document(course: Course, results: list[UnitResult], rejected: list[Rejected]) -> dict[str, Any]:
    return {
        "course": {"name": course.root.name, "version": course.version},
        "results": [result.to_json() for result in results],
        "not_graded": [{"where": r.where, "reason": r.reason} for r in rejected],
    }


def report_text(result: UnitResult) -> str:
    """One submission's result as plain text: points by exercise, then every failure."""
    lines = [
        f"{result.student} · {result.unit}   {points(result.score)} of {points(result.max_score)} points",
        "",
    ]
    width = max((len(exercise.name) for exercise in result.exercises), default=0)
    for exercise in result.exercises:
        score = f"{points(exercise.score)} of {points(exercise.max_score)}"
        checks = f"{exercise.passed} of {len(exercise.counted)} checks"
        device = f"   on a GPU: {exercise.device.state}" if exercise.device else ""
        lines.append(f"  {exercise.name:<{width}}   {score:>12}   {checks}{device}")
    lines += [f"  note: {note}" for note in result.notes]
    lines += [f"  {line}" for line in advice(result.exercises)]
    for exercise in result.exercises:
        for check in exercise.checks:
            if check.message:
                lines += ["", check.message]
    return "\n".join(lines) + "\n"


def _write_reports(course: Course, out: Path, graded: list[Graded], rejected: list[Rejected]) -> None:
    """Pages that may be handed out, where hidden checks are counted only; and texts that tell all."""
    titles = {unit.name: unit.title for unit in course.units}
    write_reports(out, graded, titles=titles, not_graded=rejected)
    for result in (each.result for each in graded):
        write_whole(out / f"{file_name(result.student)}.{result.unit}.txt", report_text(result))


def _require_seccomp() -> None:
    if sys.platform != "linux":
        raise CourseError(
            "submissions are graded in a sandbox that needs Linux; grade there, in a virtual machine or a "
            "container, or pass --no-sandbox for code that you trust."
        )
    try:
        prepare()
    except SandboxError as error:
        raise CourseError(
            f"{error}; grading needs it, unless you pass --no-sandbox for code that you trust."
        ) from None
