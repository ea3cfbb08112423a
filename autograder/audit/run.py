"""An audit's runs: each a submission, graded by one of several processes as any other is."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from autograder.audit.equivalents import EQUIVALENTS, Equivalent, load_equivalents
from autograder.audit.findings import Kind
from autograder.audit.mutants import Mutant, mutants
from autograder.course import Course, CourseError, Parity, Unit
from autograder.grading.processes import Failed, Grader, Pool
from autograder.mistakes import Mistake, load_device_bugs, load_mistakes, mistaken
from autograder.results import CheckResult, DeviceVerdict, Diagnosis, UnitResult
from autograder.submission import Submission, read_submission

SOLUTION = "the solution"


@dataclass(frozen=True)
class Scope:
    """What an audit is about: all mistakes and mutants of an exercise, or a `sample` of so many of each; one
    `exercise`, or all of its units."""

    units: tuple[Unit, ...]
    kinds: frozenset[Kind] = frozenset(Kind)
    sample: int | None = None
    exercise: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether nothing of these units is left out."""
        return self.kinds == frozenset(Kind) and self.sample is None and self.exercise is None


@dataclass(frozen=True)
class UnitPlan:
    """What is to be run of one unit. `styles` are alternative solutions by name, and the solution itself."""

    unit: Unit
    mistakes: tuple[Mistake, ...]
    mutants: tuple[Mutant, ...]
    equivalents: tuple[Equivalent, ...]
    device_bugs: tuple[Mistake, ...]
    solution: Submission
    styles: dict[str, Submission]
    stub: Submission | None


@dataclass(frozen=True)
class Task:
    """One submission to run, a mutant or a bug on a GPU in its `exercise` only; `number` is its place in its
    kind, `about` the exercise that a mistake stands in."""

    kind: Kind
    unit: str
    number: int
    exercise: str | None
    submission: Submission
    about: str | None = None

    def __str__(self) -> str:
        return f"{self.unit}, {self.submission.student}"


@dataclass(frozen=True)
class Graded:
    """What the checks found, and the known mistakes that the report names, by exercise."""

    checks: tuple[CheckResult, ...]
    named: dict[str, Diagnosis]
    device: DeviceVerdict | None = None


Outcome = Graded | Failed


def plan(course: Course, scope: Scope) -> list[UnitPlan]:
    """What is to be run, unit by unit. Raises CourseError where a unit's lists do not fit its solutions."""
    return [_plan_unit(course, unit, scope) for unit in scope.units]


def tasks(plans: list[UnitPlan]) -> list[Task]:
    """All that the plans name, what takes long first: a process then is not left alone with it at the end."""
    found: list[Task] = []
    for each in plans:
        name = each.unit.name
        for i, submission in enumerate(each.styles.values()):
            found.append(Task(Kind.ALTERNATIVES, name, i, None, submission))
        if each.stub is not None:
            found.append(Task(Kind.STUBS, name, 0, None, each.stub))
        for i, mistake in enumerate(each.mistakes):
            title = f"{mistake.exercise}: {mistake.name}"
            submission = replace(mistaken(each.solution, mistake), student=title)
            found.append(Task(Kind.MISTAKES, name, i, None, submission, about=mistake.exercise))
        for i, bug in enumerate(each.device_bugs):
            submission = replace(mistaken(each.solution, bug), student=f"{bug.exercise}: {bug.name}")
            found.append(Task(Kind.DEVICE, name, i, bug.exercise, submission))
        for i, mutant in enumerate(each.mutants):
            sources = {**each.solution.sources, mutant.module: mutant.source}
            submission = replace(each.solution, student=mutant.id, sources=sources)
            found.append(Task(Kind.MUTANTS, name, i, mutant.exercise, submission))
    return sorted(found, key=lambda task: (task.kind is Kind.MUTANTS, task.unit))


def run(course: Course, work: list[Task], jobs: int) -> Iterator[tuple[Task, Outcome]]:
    """Every task with what its checks found, in the order in which they are done."""
    units = tuple(sorted({task.unit for task in work}))
    yield from Pool(course, units, judge, jobs).results(work)


def judge(grader: Grader, task: Task) -> Graded:
    """The results of all checks; of a mutant only the first that does not pass, if there is one, and of a bug
    that only a GPU shows what came of it there besides."""
    if task.kind is Kind.MISTAKES:
        return _judge_mistake(grader, task)
    if task.exercise is None:
        return _graded(grader.session.grade(task.submission))
    _make_ready(grader, task.unit, task.exercise)
    failure = grader.session.first_failure(task.submission, task.exercise)
    device = None
    if task.kind is Kind.DEVICE:
        verdict = grader.session.parity(task.submission, task.exercise, Parity.GPU).verdict
        device = verdict if isinstance(verdict, DeviceVerdict) else None
    return Graded(() if failure is None else (failure,), {}, device)


def _judge_mistake(grader: Grader, task: Task) -> Graded:
    """A mistake is one on the CPU, and mostly needs no training to be seen: only where it does is all run.

    What another exercise learns tells nothing of one that it does not use.
    """
    quick = grader.session.grade(task.submission, lambda check: not (check.is_slow or check.is_parity))
    caught = {each.name for each in quick.exercises if each.passed < len(each.counted)}
    if task.about in caught:
        return _graded(quick)
    return _graded(grader.session.grade(task.submission, lambda check: not check.is_parity))


def _graded(result: UnitResult) -> Graded:
    checks = tuple(check for exercise in result.exercises for check in exercise.checks)
    return Graded(checks, {each.name: each.diagnosis for each in result.exercises if each.diagnosis})


@functools.cache
def _make_ready(grader: Grader, unit: str, exercise: str) -> None:
    """Let the solution go first: it is from one that passes that the session learns what to ask ahead."""
    grader.session.first_failure(_read_solution(grader.course, grader.course.unit(unit)), exercise)


def _plan_unit(course: Course, unit: Unit, scope: Scope) -> UnitPlan:
    if unit.hidden is None:
        raise CourseError(f"solutions/{unit.name} is missing: an audit is made with solutions.")
    solution = _read_solution(course, unit)
    mistakes: list[Mistake] = []
    if Kind.MISTAKES in scope.kinds and (unit.hidden / "mistakes.toml").exists():
        mistakes = load_mistakes(unit.hidden / "mistakes.toml")
    made: list[Mutant] = []
    equivalents: list[Equivalent] = []
    if Kind.MUTANTS in scope.kinds:
        made = mutants(unit, solution.sources)
        equivalents = load_equivalents(unit.hidden / EQUIVALENTS, made)
    bugs = load_device_bugs(unit.hidden / "device_bugs.toml") if Kind.DEVICE in scope.kinds else []
    styles = {SOLUTION: solution}
    if Kind.ALTERNATIVES in scope.kinds and (unit.hidden / "alternatives").is_dir():
        folders = sorted(path for path in (unit.hidden / "alternatives").iterdir() if path.is_dir())
        styles |= {path.name: read_submission(path, unit.modules, path.name, unit.name) for path in folders}
    stub = read_submission(unit.public, unit.modules, "the stubs", unit.name)
    wanted = [each.name for each in unit.exercises if scope.exercise in (None, each.name)]
    return UnitPlan(
        unit,
        tuple(each for exercise in wanted for each in _sample(mistakes, exercise, scope.sample)),
        tuple(each for exercise in wanted for each in _sample(made, exercise, scope.sample)),
        tuple(each for each in equivalents if each.exercise in wanted),
        tuple(each for exercise in wanted for each in _sample(bugs, exercise, scope.sample)),
        solution,
        styles,
        stub if Kind.STUBS in scope.kinds else None,
    )


M = TypeVar("M", Mistake, Mutant)


def _sample(every: list[M], exercise: str, size: int | None) -> list[M]:
    """So many of an exercise's, the same in every run, in their order."""
    own = [each for each in every if each.exercise == exercise]
    chosen = set(sorted(range(len(own)), key=lambda i: _order(own[i]))[:size])
    return [each for i, each in enumerate(own) if i in chosen]


def _order(each: Mistake | Mutant) -> str:
    return each.order if isinstance(each, Mutant) else hashlib.sha256(each.name.encode()).hexdigest()


def _read_solution(course: Course, unit: Unit) -> Submission:
    solution = read_submission(course.solutions / unit.name, unit.modules, SOLUTION, unit.name)
    for problem in solution.problems.values():
        raise CourseError(f"solutions/{unit.name}: {problem}")
    return solution
