"""One pytest session that grades one submission after another.

Collecting, importing and drawing are paid once: the session's test loop waits for submissions. It
runs in a thread of its own, so that whoever grades calls a method and gets a result.
"""

from __future__ import annotations

import contextlib
import io
import os
import queue
import threading
from collections import deque
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

from autograder.check import Check, Failure
from autograder.course import Course, CourseError
from autograder.errors import GraderBroken
from autograder.failures import failure_text, status_of
from autograder.grading.frozen import FrozenCheck, Told
from autograder.plugin import CHECK, arguments, assign_checks
from autograder.reach import WORKER_LIMITS
from autograder.results import CheckResult, Status, UnitResult, by_exercise
from autograder.submission import Submission
from autograder.worker.client import Zygote
from autograder.worker.reached import Ahead, RemoteSubmission

_Job = tuple[Submission, str | None, "Future[UnitResult]"]


class GradingSession:
    """Grades submissions of some units of a course. Close it, or use it as a context manager.

    Raises CourseError where the checks of these units cannot be collected.
    """

    def __init__(self, course: Course, units: tuple[str, ...], *, sandboxed: bool = True) -> None:
        torch.set_num_threads(1)
        # it imports while the checks are collected here
        self._zygote = Zygote(sandboxed=sandboxed, preload=course.preload(units))
        self._jobs: queue.Queue[_Job | None] = queue.Queue()
        self._ready: Future[None] = Future()
        self._plugin = _GradingPlugin(course, self._zygote, self._jobs, self._ready)
        self._thread = threading.Thread(target=self._run_pytest, args=(course, units), daemon=True)
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self.close()
            raise

    def grade(self, submission: Submission) -> UnitResult:
        """Run every check of the submission's unit on it."""
        done: Future[UnitResult] = Future()
        self._jobs.put((submission, None, done))
        return done.result()

    def first_failure(self, submission: Submission, exercise: str) -> CheckResult | None:
        """The first check of `exercise` that the submission fails, on the case drawn, or None.

        For whoever wants to know only whether the checks notice something: nothing is shrunk.
        """
        done: Future[UnitResult] = Future()
        self._jobs.put((submission, exercise, done))
        results = [check for result in done.result().exercises for check in result.checks]
        return next((check for check in results if check.status is not Status.PASSED), None)

    def close(self) -> None:
        self._jobs.put(None)
        self._thread.join()
        self._zygote.close()

    def __enter__(self) -> GradingSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run_pytest(self, course: Course, units: tuple[str, ...]) -> None:
        # Only this course's own plugin: what else is installed or set here must not change a score.
        for variable in ("PYTEST_ADDOPTS", "PYTEST_PLUGINS"):
            os.environ.pop(variable, None)
        paths = [str(path) for unit in units for path in _check_files(course, unit)]
        unused = [f"no:{name}" for name in ("terminal", "cacheprovider", "logging", "doctest", "junitxml")]
        plugins = [f"-p{name}" for name in ("autograder.plugin", *unused)]
        options = ["--disable-plugin-autoload", *plugins, "--capture=no"]
        output = io.StringIO()
        try:
            with contextlib.redirect_stderr(output):
                code = pytest.main([*options, f"--rootdir={course.root}", *paths], plugins=[self._plugin])
            if not self._ready.done():
                why = (
                    self._plugin.collection_errors
                    or output.getvalue().strip()
                    or f"pytest ended with {code!r}"
                )
                self._ready.set_exception(CourseError(f"the checks cannot be collected: {why}"))
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


class _GradingPlugin:
    """Takes the place of the plugin for students: the loop is over submissions, then over checks."""

    __name__ = "autograder-grading"  # the name under which pytest registers it

    def __init__(
        self, course: Course, zygote: Zygote, jobs: queue.Queue[_Job | None], ready: Future[None]
    ) -> None:
        self.collection_errors = ""
        self._course = course
        self._zygote = zygote
        self._jobs = jobs
        self._ready = ready
        self._points: dict[str, dict[str, float]] = {}
        self._frozen: dict[str, FrozenCheck] = {}
        self._remote: RemoteSubmission | None = None
        self._result: CheckResult | None = None
        self._told = Told.SHRUNK
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
        while (job := self._jobs.get()) is not None:
            submission, exercise, done = job
            try:
                done.set_result(self._grade(submission, session.items, exercise))
            except BaseException as error:
                done.set_exception(error)
        return True

    def _grade(self, submission: Submission, items: list[pytest.Item], exercise: str | None) -> UnitResult:
        """Every check of the unit, or those of one `exercise` up to the first that fails."""
        unit = self._course.unit(submission.unit)
        wanted = [
            (item, check)
            for item in items
            if (check := item.stash.get(CHECK, None)) is not None
            and check.unit == unit.name
            and exercise in (None, check.exercise)
        ]
        # Two workers a submission: what takes long is asked first, and worked on while the rest is checked.
        lanes = {
            slow: RemoteSubmission(self._zygote, submission, unit.rules, WORKER_LIMITS)
            for slow in (False, True)
        }
        results: list[CheckResult] = []
        failed: set[str] = set()  # an exercise's first failure is shrunk: the others mostly have its cause
        slow = _SlowLane(
            [
                self._frozen[check.id]
                for _, check in wanted
                if check.is_slow and exercise is None and check.id in self._frozen
            ],
            lanes[True],
        )
        try:
            for item, check in sorted(wanted, key=lambda pair: pair[1].is_slow):
                if not check.is_slow:
                    slow.go_on()
                self._remote = lanes[check.is_slow]
                if exercise is not None:
                    self._told = Told.FIRST
                elif check.exercise in failed:
                    self._told = Told.SMALLEST_DRAWN
                else:
                    self._told = Told.SHRUNK
                results.append(self._run(item, check))
                if results[-1].status is not Status.PASSED:
                    failed.add(check.exercise)
                    if exercise is not None:
                        break
        finally:
            for remote in lanes.values():
                remote.close()
        points = {e: p for e, p in self._points[unit.name].items() if exercise in (None, e)}
        layers = lanes[False].layers or lanes[True].layers
        order = {check.id: position for position, (_, check) in enumerate(wanted)}
        results.sort(key=lambda result: order[result.id])
        return UnitResult(
            submission.student, unit.name, by_exercise(results, points), layers, submission.notes
        )

    def _run(self, item: pytest.Item, check: Check) -> CheckResult:
        self._result = None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        if self._broken is not None:
            raise self._broken
        if self._result is None:
            raise CourseError(f"{check.id} was not run; is it skipped or has it a failing fixture?")
        return self._result

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> bool | None:
        check = pyfuncitem.stash.get(CHECK, None)
        if check is None or self._remote is None:
            return None
        try:
            frozen = self._frozen.get(check.id)
            if frozen is None:
                frozen = self._frozen[check.id] = FrozenCheck(check, pyfuncitem.obj, arguments(pyfuncitem))
            failure = frozen.run(self._remote, self._told)
        except GraderBroken as error:
            self._broken = error  # pytest takes it for the test's own; `_run` raises it again
            raise
        except pytest.skip.Exception as skipped:
            self._result = CheckResult(check.id, check.exercise, Status.SKIPPED, str(skipped))
            return True
        self._result = _result(check, failure)
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


def _result(check: Check, failure: Failure | None) -> CheckResult:
    if failure is None:
        return CheckResult(check.id, check.exercise, Status.PASSED)
    return CheckResult(check.id, check.exercise, status_of(failure.error), failure_text(check, failure))


def _check_files(course: Course, unit: str) -> list[Path]:
    folders = [course.unit(unit).public, course.unit(unit).hidden]
    return [path for folder in folders if folder is not None for path in sorted(folder.glob("test_*.py"))]
