"""The command line. Exit status: 0 done (whatever the scores), 1 something could not be done, 2 bad usage."""

from __future__ import annotations

import difflib
import importlib
from pathlib import Path
from typing import Annotated

import typer

from autograder.course import Course, CourseError
from autograder.store.results import StoreError

app = typer.Typer(
    help="Check your own work, or grade a class.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Entry point: what goes wrong with the course is one sentence, not a traceback."""
    try:
        app()
    except (CourseError, StoreError) as error:
        typer.echo(f"autograder: {error}", err=True)
        raise SystemExit(2 if isinstance(error, CourseError) else 1) from None


@app.command()
def check(
    what: Annotated[
        str | None, typer.Argument(metavar="[UNIT|EXERCISE]", help="All units by default.")
    ] = None,
    submission: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Check the modules in DIR, not those under assignments/."),
    ] = None,
    worker: Annotated[
        bool, typer.Option("--worker", help="Run in the sandboxed worker, as grading does.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out the checks that train a model.")] = False,
) -> None:
    """Check your own work with the public checks; exit status 1 when a check fails.

    Example: autograder check scaled_dot_product_attention
    """
    import pytest

    course = Course.find()
    units = {unit.name: unit for unit in course.units}
    exercises = {exercise.name: unit for unit in course.units for exercise in unit.exercises}
    if submission is not None and not submission.is_dir():
        raise CourseError(f"{submission} is no folder; name the one that holds the modules.")
    if worker:
        _require_worker()
    options = [f"--rootdir={course.root}", "-q", "--no-header", "-rN", "-p", "no:cacheprovider"]
    # pytest minds that its plugin was imported before it started, namely by this command
    options.append("-Wignore::pytest.PytestAssertRewriteWarning")
    if not units:
        raise CourseError("this course has no unit yet.")
    if what is None:
        paths = [unit.public for unit in units.values()]
    elif what in units:
        paths = [units[what].public]
    elif what in exercises:
        paths = [exercises[what].public]
        options.append(f"--exercise={what}")
    else:
        near = difflib.get_close_matches(what, [*units, *exercises], n=3)
        hint = f"did you mean {' or '.join(near)}?" if near else f"the units are {', '.join(units)}."
        raise CourseError(f"there is no unit or exercise {what!r}; {hint}")
    if submission is not None:
        options.append(f"--submission={submission}")
    if worker:
        options.append("--worker")
    if quick:
        options.append("--quick")
    code = pytest.main([*options, *map(str, paths)])
    raise SystemExit(int(code) if code in (0, 1) else 2)


@app.command()
def grade(
    submitted: Annotated[
        Path,
        typer.Argument(metavar="SUBMITTED", help="The class's folder: SUBMITTED/<student>/<unit>/*.py."),
    ],
    unit: Annotated[str | None, typer.Option(metavar="UNIT", help="Only this unit's submissions.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Grader processes; one a core is plenty.")] = 1,
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="FILE", help="Write the results there.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep results and reports there; a later run grades what changed."),
    ] = None,
    regrade: Annotated[
        bool, typer.Option("--regrade", help="Grade all again, and tell who gains and who loses.")
    ] = False,
    no_sandbox: Annotated[
        bool, typer.Option("--no-sandbox", help="Run submissions unprotected: only code that you trust.")
    ] = False,
) -> None:
    """Grade a class, safely.

    Example: autograder grade submitted --jobs 2 --json results.json
    """
    _require_worker_packages()
    from autograder.grading.command import grade_class

    course = Course.find()
    if regrade and out is None:
        raise CourseError("--regrade compares with the results kept by --out DIR; name that folder.")
    raise SystemExit(
        grade_class(
            course,
            submitted,
            unit=unit,
            jobs=jobs,
            json_file=json_file,
            out=out,
            sandboxed=not no_sandbox,
            regrade=regrade,
        )
    )


@app.command()
def release(
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="The folder to write the student repository to.")
    ],
) -> None:
    """Write the repository that students get, after a search for leaks.

    Example: autograder release ../course-2026
    """
    from autograder.release import LeakError
    from autograder.release import release as write_release

    try:
        typer.echo(str(write_release(Course.find(), dest)))
    except LeakError as error:
        typer.echo(f"autograder: {error}", err=True)
        raise SystemExit(1) from None


@app.command()
def stubs(
    check_only: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit status 1 when one is stale.")
    ] = False,
) -> None:
    """Generate the stubs under assignments/ from the solutions.

    Example: autograder stubs --check
    """
    from autograder.stubs import stale_stubs, write_stubs

    course = Course.find()
    if check_only:
        stale = stale_stubs(course)
        for stub in stale:
            typer.echo(f"{stub} differs from what its solution gives; run: autograder stubs")
        raise SystemExit(1 if stale else 0)
    written = write_stubs(course)
    for stub in written:
        typer.echo(f"wrote {stub}")
    if not written:
        typer.echo("every stub is what its solution gives.")


@app.command()
def diagnosis(
    unit: Annotated[str | None, typer.Argument(metavar="[UNIT]", help="All units by default.")] = None,
) -> None:
    """Make the tables by which reports name known mistakes, after a change of mistakes or checks.

    Example: autograder diagnosis a3_attention
    """
    _require_worker()
    from autograder.audit.tables import write_tables

    course = Course.find()
    write_tables(course, course.units if unit is None else (course.unit(unit),))


@app.command()
def audit(
    unit: Annotated[str | None, typer.Argument(metavar="[UNIT]", help="All units by default.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Grader processes; one a core is plenty.")] = 1,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Write audit.json and audit.md there.")] = Path(
        "audit"
    ),
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="K", help="Only K mistakes and K mutants an exercise, the same in every run."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND", help="Only mistakes, mutants, alternatives or stubs; may be repeated."),
    ] = None,
    exercise: Annotated[str | None, typer.Option(metavar="NAME", help="Only this exercise.")] = None,
    readme: Annotated[bool, typer.Option("--readme", help="Put the units' totals into README.md.")] = False,
) -> None:
    """Measure the checks: do they catch every mistake and mutant, and accept every alternative?

    Exit status 1 when a mistake survives or hits an unrelated exercise, an alternative is rejected, a stub
    passes a check, or fewer than 98 % of the mutants are caught.

    Example: autograder audit a3_attention --jobs 2 --sample 10
    """
    _require_worker()
    from autograder.audit.command import audit as audit_course
    from autograder.audit.findings import Kind

    known = {kind.value: kind for kind in Kind}
    for name in only or ():
        if name not in known:
            raise CourseError(f"there is no kind {name!r}; --only takes {', '.join(known)}.")
    raise SystemExit(
        audit_course(
            Course.find(),
            unit=unit,
            jobs=jobs,
            out=out,
            sample=sample,
            kinds=frozenset(known[name] for name in only or known),
            exercise=exercise,
            readme=readme,
        )
    )


@app.command()
def doctor() -> None:
    """Say what this machine offers: sandbox layers, versions, devices, and what to do about each.

    Example: autograder doctor
    """
    from autograder.doctor import report

    raise SystemExit(report())


def _require_worker() -> None:
    """Say in one sentence why there can be no sandboxed worker here, before anything is run."""
    _require_worker_packages()
    from autograder.sandbox import SandboxError, prepare

    try:
        prepare()
    except SandboxError as error:
        raise CourseError(f"{error}; the worker needs it.") from None


def _require_worker_packages() -> None:
    """They are imported late, in processes of their own: what is missing is told here, and once."""
    for package in ("msgspec", "safetensors"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise CourseError(
                f"the worker that runs submissions needs the instructor's packages ({error}); "
                "install them: pip install -c constraints.txt -e '.[instructor]'."
            ) from None
