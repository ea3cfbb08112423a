"""From what checks found to findings: the same whatever the order in which things were run."""

from __future__ import annotations

import re
from collections.abc import Mapping

from autograder.audit.findings import (
    ExerciseFindings,
    FalseAlarm,
    Findings,
    JudgedMutant,
    Kind,
    MissedOnDevice,
    Report,
    UnitFindings,
    UnrelatedHit,
    Verdict,
)
from autograder.audit.mutants import Mutant, diff
from autograder.audit.related import exercises_used
from autograder.audit.run import Graded, Outcome, Task, UnitPlan
from autograder.course import Course
from autograder.grading.processes import Failed
from autograder.mistakes import Mistake
from autograder.results import CheckResult, DeviceState, Status

Checks = tuple[CheckResult, ...]
# What a run found, by its kind and its place among those of its kind.
Found = Mapping[tuple[Kind, int], Graded]


def findings(course: Course, plans: list[UnitPlan], outcomes: list[tuple[Task, Outcome]]) -> Findings:
    """What the outcomes say about the checks, in the order of the course."""
    units = []
    for each in plans:
        mine = [(task, outcome) for task, outcome in outcomes if task.unit == each.unit.name]
        found = {
            (task.kind, task.number): outcome for task, outcome in mine if not isinstance(outcome, Failed)
        }
        units.append(_judge_unit(course, each, found))
    not_judged = sorted(
        f"{task}: {type(outcome.error).__name__} {outcome.error}".rstrip()
        for task, outcome in outcomes
        if isinstance(outcome, Failed)
    )
    return Findings(tuple(units), tuple(not_judged))


def _judge_unit(course: Course, plan: UnitPlan, found: Found) -> UnitFindings:
    used = exercises_used(course, plan.unit)
    exercises = []
    for exercise in plan.unit.exercises:
        name = exercise.name
        judged = tuple(
            _judge_mutant(plan, mutant, found[Kind.MUTANTS, i].checks)
            for i, mutant in enumerate(plan.mutants)
            if mutant.exercise == name and (Kind.MUTANTS, i) in found
        )
        graded = {
            mistake: found[Kind.MISTAKES, i]
            for i, mistake in enumerate(plan.mistakes)
            if mistake.exercise == name and (Kind.MISTAKES, i) in found
        }
        mistakes = {mistake.name: each.checks for mistake, each in graded.items()}
        unrelated = {other for other in used if name not in used[other]}
        exercises.append(
            ExerciseFindings(
                name=name,
                mistakes=len(mistakes),
                reports=tuple(_report(mistake, each) for mistake, each in graded.items()),
                surviving_mistakes=tuple(
                    mistake for mistake, checks in mistakes.items() if not _failures(checks, {name})
                ),
                unrelated=tuple(
                    sorted(
                        UnrelatedHit(mistake, check.exercise, check.id)
                        for mistake, checks in mistakes.items()
                        for check in _failures(checks, unrelated)
                    )
                ),
                mutants=judged,
                refuted=tuple(_refuted(plan, name, judged)),
                passed_by_stub=tuple(
                    check.id
                    for check in _checks(found, Kind.STUBS, 0)
                    if check.exercise == name and check.status is Status.PASSED
                ),
                false_alarms=tuple(
                    sorted(
                        FalseAlarm(style, check.id, _ADDRESS.sub("0x…", check.message))
                        for i, style in enumerate(plan.styles)
                        for check in _failures(_checks(found, Kind.ALTERNATIVES, i), {name})
                    )
                ),
                device_bugs=sum(bug.exercise == name for bug in plan.device_bugs),
                missed_on_device=tuple(
                    missed
                    for i, bug in enumerate(plan.device_bugs)
                    if bug.exercise == name
                    and (missed := _missed_on_device(bug, found.get((Kind.DEVICE, i)))) is not None
                ),
            )
        )
    return UnitFindings(plan.unit.name, tuple(exercises))


def _missed_on_device(bug: Mistake, graded: Graded | None) -> MissedOnDevice | None:
    if graded is None or graded.device is None:
        return MissedOnDevice(bug.name, "not judged")
    if failures := _failures(graded.checks, {bug.exercise}):
        return MissedOnDevice(bug.name, f"fails on the CPU already: {failures[0].id}")
    if graded.device.state is DeviceState.DIFFERS:
        return None
    return MissedOnDevice(bug.name, f"{graded.device.state}. {graded.device.detail}".rstrip(". "))


def _report(mistake: Mistake, graded: Graded) -> Report:
    """What a student who makes the mistake is told of its exercise."""
    failures = _failures(graded.checks, {mistake.exercise})
    told = graded.named.get(mistake.exercise)
    is_right = None
    if told is not None:
        is_right = told.names(mistake.name) and told.hint == mistake.hint
    text = _ADDRESS.sub("0x…", failures[0].message) if failures else ""
    return Report(mistake.name, text, told.mistake if told is not None else None, is_right)


def _checks(found: Found, kind: Kind, number: int) -> Checks:
    graded = found.get((kind, number))
    return () if graded is None else graded.checks


def _judge_mutant(plan: UnitPlan, mutant: Mutant, checks: Checks) -> JudgedMutant:
    if _failures(checks, {mutant.exercise}):
        return JudgedMutant(mutant, Verdict.CAUGHT)
    reasons = [each.reason for each in plan.equivalents if each.covers(mutant)]
    change = diff(plan.solution.sources[mutant.module], mutant.source, f"{mutant.module}.py")
    if reasons:
        return JudgedMutant(mutant, Verdict.EQUIVALENT, change, reasons[0])
    return JudgedMutant(mutant, Verdict.SURVIVED, change)


def _refuted(plan: UnitPlan, exercise: str, judged: tuple[JudgedMutant, ...]) -> list[str]:
    """The changes recorded as equivalent of which every mutant was caught."""
    refuted = []
    for entry in plan.equivalents:
        verdicts = {each.verdict for each in judged if entry.covers(each.mutant)}
        if entry.exercise == exercise and verdicts == {Verdict.CAUGHT}:
            refuted.append(f"{entry.before} -> {entry.after}")
    return refuted


# Where an object lies is another place in every run.
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")


def _failures(checks: Checks, exercises: set[str]) -> list[CheckResult]:
    passing = (Status.PASSED, Status.SKIPPED)
    return [check for check in checks if check.exercise in exercises and check.status not in passing]
