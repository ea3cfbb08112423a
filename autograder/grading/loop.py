"""The loop of a grading session: over submissions, and for each over the checks."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Collection
from concurrent.futures import Future
from dataclasses import dataclass

import pytest

from autograder.check import Check, Failure
from autograder.collection import CHECK, arguments, assign_checks
from autograder.course import DIAGNOSIS, Course, CourseError, Parity, Unit
from autograder.diagnosis.fingerprint import Fingerprint
from autograder.diagnosis.table import ExerciseTable, Probe, read_table
from autograder.errors import NO_ANSWER, GraderBroken
from autograder.failures import failure_text, not_verifiable_text, status_of
from autograder.grading.frozen import FrozenCheck, Told
from autograder.parity.elsewhere import Elsewhere
from autograder.parity.verdict import OfParity
from autograder.reach import WORKER_LIMITS
from autograder.results import CheckResult, Diagnosis, Status, UnitResult, by_exercise
from autograder.submission import Submission
from autograder.worker.client import Zygote
from autograder.worker.reached import Ahead, RemoteSubmission

Items = list[tuple[pytest.Item, Check]]


@dataclass(frozen=True)
class Skipped:
    """A check that cannot be judged here, and why."""

    reason: str


Choose = Callable[[Check], bool]
Outcome = Failure | Skipped | OfParity | None
Job = Callable[["GradingLoop", Items], None]


class GradingLoop:
    """Takes the place of the plugin for students: the loop is over submissions, then over checks."""

    __name__ = "autograder-grading"  # the name under which pytest registers it

    def __init__(
        self, course: Course, zygote: Zygote, jobs: queue.Queue[Job | None], ready: Future[None]
    ) -> None:
        self.collection_errors = ""
        self._course = course
        self._zygote = zygote
        self._jobs = jobs
        self._ready = ready
        self._points: dict[str, dict[str, float]] = {}
        self._tables: dict[str, dict[str, ExerciseTable]] = {}
        self._frozen: dict[str, FrozenCheck] = {}
        self._run_check: Callable[[FrozenCheck], Failure | None] | None = None
        self._outcome: Failure | Skipped | None = None
        self._ran = False
        self._broken: GraderBroken | None = None

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.collection_errors += f"\n{report.longreprtext}"

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._points = assign_checks(items, self._course.root)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            return True
        self._ready.set_result(None)
        checks = [
            (item, check) for item in session.items if (check := item.stash.get(CHECK, None)) is not None
        ]
        while (job := self._jobs.get()) is not None:
            job(self, checks)
        return True

    def grade(
        self, submission: Submission, checks: Items, choose: Choose, *, to_first_failure: bool = False
    ) -> UnitResult:
        """The checks of the unit that are chosen: all, or up to the first that fails, told as it is found."""
        unit = self._course.unit(submission.unit)
        wanted = [(item, check) for item, check in checks if check.unit == unit.name and choose(check)]
        # Two workers a submission: what takes long is asked first, and worked on while the rest is checked.
        lanes = {slow: self._reach(submission, unit) for slow in (False, True)}
        elsewhere = Elsewhere(lanes[False], [check for _, check in wanted])
        outcomes: dict[str, Outcome] = {}
        failed: set[str] = set()  # an exercise's first failure is shrunk: the others mostly have its cause
        answering: set[str] = set()  # those of them that answered something
        diagnoses: dict[str, Diagnosis] = {}
        slow = _SlowLane(
            [
                self._frozen[check.id]
                for _, check in wanted
                if check.is_slow and not to_first_failure and check.id in self._frozen
            ],
            lanes[True],
        )
        try:
            for item, check in sorted(wanted, key=lambda pair: (pair[1].is_parity, pair[1].is_slow)):
                if not check.is_slow:
                    slow.go_on()
                    elsewhere.go_on()
                if check.is_parity:
                    outcomes[check.id] = elsewhere.judge(check)
                    continue
                if to_first_failure:
                    told = Told.FIRST
                elif check.exercise in failed:
                    told = Told.SMALLEST_DRAWN
                else:
                    told = Told.SHRUNK
                outcomes[check.id] = self._run(item, check, lanes[check.is_slow], told)
                outcome = outcomes[check.id]
                if outcome is None and elsewhere.wants(check):
                    self._try_elsewhere(item, check, lanes[False], elsewhere)
                if isinstance(outcome, Failure):
                    failed.add(check.exercise)
                    if not isinstance(outcome.error, NO_ANSWER):
                        answering.add(check.exercise)
                    if to_first_failure:
                        break
            if not to_first_failure:
                for name in sorted(answering):
                    diagnosis = self._diagnose(unit, name, wanted, lanes[False])
                    if diagnosis is not None:
                        diagnoses[name] = diagnosis
        finally:
            for remote in lanes.values():
                remote.close()
            elsewhere.close()
        chosen = {check.exercise for _, check in wanted}
        points = {e: p for e, p in self._points[unit.name].items() if e in chosen}
        layers = lanes[False].layers or lanes[True].layers
        told_once = dict(diagnoses)
        results = []
        for _, check in wanted:
            if check.id in outcomes:
                outcome = outcomes[check.id]
                hint = told_once.pop(check.exercise, None) if isinstance(outcome, Failure) else None
                results.append(_result(check, outcome, hint))
        return UnitResult(
            submission.student, unit.name, by_exercise(results, points, diagnoses), layers, submission.notes
        )

    def answers(
        self,
        submission: Submission,
        checks: Items,
        exercise: str,
        cases: int,
        probes: Collection[Probe] | None,
    ) -> dict[Probe, Fingerprint | None]:
        remote = self._reach(submission, self._course.unit(submission.unit))
        answers: dict[Probe, Fingerprint | None] = {}
        try:
            for item, check in checks:
                if _is_of(check, submission, exercise) and not (check.is_slow or check.is_parity):
                    frozen = self._frozen_check(item, check)
                    for probe in frozen.some_probes(cases) if probes is None else probes:
                        if probe.check == check.id:
                            answers[probe] = frozen.fingerprint(remote, probe)
        finally:
            remote.close()
        return answers

    def diagnosis(self, submission: Submission, checks: Items, exercise: str) -> Diagnosis | None:
        unit = self._course.unit(submission.unit)
        remote = self._reach(submission, unit)
        mine = [pair for pair in checks if (pair[1].unit, pair[1].exercise) == (unit.name, exercise)]
        try:
            return self._diagnose(unit, exercise, mine, remote)
        finally:
            remote.close()

    def parity(self, submission: Submission, checks: Items, exercise: str, parity: Parity) -> OfParity:
        remote = self._reach(submission, self._course.unit(submission.unit))
        [check] = [each for _, each in checks if each.parity is parity and _is_of(each, submission, exercise)]
        elsewhere = Elsewhere(remote, [check])
        try:
            for item, each in checks:
                if _is_of(each, submission, exercise) and elsewhere.wants(each):
                    self._try_elsewhere(item, each, remote, elsewhere)
            return elsewhere.judge(check)
        finally:
            remote.close()
            elsewhere.close()

    def _try_elsewhere(
        self, item: pytest.Item, check: Check, remote: RemoteSubmission, elsewhere: Elsewhere
    ) -> None:
        recorded = self._frozen_check(item, check).recorded(remote)
        if recorded is not None:
            elsewhere.ask(check, recorded)

    def _reach(self, submission: Submission, unit: Unit) -> RemoteSubmission:
        return RemoteSubmission(self._zygote, submission, unit.rules, WORKER_LIMITS)

    def _diagnose(
        self, unit: Unit, exercise: str, checks: Items, remote: RemoteSubmission
    ) -> Diagnosis | None:
        """The known mistake that the submission makes in an exercise that it failed."""
        if unit.name not in self._tables:
            self._tables[unit.name] = read_table(self._course.solutions / unit.name / DIAGNOSIS)
        table = self._tables[unit.name].get(exercise)
        if table is None:
            return None
        frozen = {
            check.id: self._frozen_check(item, check)
            for item, check in checks
            if check.exercise == exercise and not check.is_parity
        }
        prints = []
        try:
            for probe in table.probes:
                if probe.check not in frozen or not frozen[probe.check].has(probe):
                    return None
                prints.append(frozen[probe.check].fingerprint(remote, probe))
        except NO_ANSWER:  # the submission's time may be up as well
            return None
        return table.diagnose(prints)

    def _frozen_check(self, item: pytest.Item, check: Check) -> FrozenCheck:
        known = self._frozen.get(check.id)
        if known is None:
            self._run(item, check, None, Told.FIRST)
            known = self._frozen[check.id]
        return known

    def _run(
        self, item: pytest.Item, check: Check, remote: RemoteSubmission | None, told: Told
    ) -> Failure | Skipped | None:
        """How the check ended; without `remote` it is only made ready."""
        self._run_check = lambda frozen: None if remote is None else frozen.run(remote, told)
        self._outcome, self._ran = None, False
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if self._broken is not None:
            raise self._broken
        if not self._ran:
            raise CourseError(f"{check.id} was not run; is it skipped or has it a failing fixture?")
        return self._outcome

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        check = pyfuncitem.stash.get(CHECK, None)
        if check is None or self._run_check is None:
            return None
        try:
            frozen = self._frozen.get(check.id)
            if frozen is None:
                frozen = self._frozen[check.id] = FrozenCheck(check, pyfuncitem.obj, arguments(pyfuncitem))
            self._outcome = self._run_check(frozen)
        except GraderBroken as error:
            self._broken = error  # pytest takes it for the test's own; `_run` raises it again
            raise
        except pytest.skip.Exception as skipped:
            self._outcome = Skipped(str(skipped))
        self._ran = True
        return True


class _SlowLane:
    """Checks that take long, asked ahead one after another while the others are run."""

    def __init__(self, checks: list[FrozenCheck], remote: RemoteSubmission) -> None:
        self._checks = deque(checks)
        self._remote = remote
        self._ahead: Ahead | None = None

    def go_on(self) -> None:
        """Ask the next as soon as the one before is answered."""
        while self._checks and (self._ahead is None or self._ahead.fetch_ready()):
            self._ahead = self._checks.popleft().start(self._remote)


def _is_of(check: Check, submission: Submission, exercise: str) -> bool:
    return (check.unit, check.exercise) == (submission.unit, exercise)


def _result(check: Check, outcome: Outcome, diagnosis: Diagnosis | None) -> CheckResult:
    if isinstance(outcome, OfParity):
        return _of_parity(check, outcome)
    if outcome is None:
        return CheckResult(check.id, check.exercise, Status.PASSED)
    if isinstance(outcome, Skipped):
        text = not_verifiable_text(check, outcome.reason)
        return CheckResult(check.id, check.exercise, Status.SKIPPED, text)
    text = failure_text(check, outcome, diagnosis=diagnosis)
    return CheckResult(check.id, check.exercise, status_of(outcome.error), text)


def _of_parity(check: Check, outcome: OfParity) -> CheckResult:
    verdict, failure = outcome.verdict, outcome.failure
    if failure is not None:
        status, text = Status.FAILED, failure_text(check, failure)
    elif not verdict.is_known:
        status, text = Status.SKIPPED, not_verifiable_text(check, verdict.detail)
    else:
        status, text = Status.PASSED, ""
    return CheckResult(check.id, check.exercise, status, text, verdict)
