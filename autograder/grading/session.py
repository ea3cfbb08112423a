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
from collections.abc import Callable, Collection
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

import pytest
import torch

from autograder.check import Check
from autograder.course import Course, CourseError, Parity
from autograder.diagnosis.fingerprint import Fingerprint
from autograder.diagnosis.table import Probe
from autograder.grading.loop import Choose, GradingLoop, Items, Job
from autograder.parity.verdict import OfParity
from autograder.results import CheckResult, Diagnosis, Status, UnitResult
from autograder.submission import Submission
from autograder.worker.client import Zygote

T = TypeVar("T")

# Of each check; a dozen checks an exercise make enough to choose from.
CASES_PROBED = 6


class GradingSession:
    """Grades submissions of some units of a course. Close it, or use it as a context manager.

    Raises CourseError where the checks of these units cannot be collected.
    """

    def __init__(self, course: Course, units: tuple[str, ...], *, sandboxed: bool = True) -> None:
        torch.set_num_threads(1)
        # it imports while the checks are collected here
        self._zygote = Zygote(sandboxed=sandboxed, preload=course.preload(units))
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._ready: Future[None] = Future()
        self._loop = GradingLoop(course, self._zygote, self._jobs, self._ready)
        self._thread = threading.Thread(target=self._run_pytest, args=(course, units), daemon=True)
        self._thread.start()
        try:
            self._ready.result()
        except BaseException:
            self.close()
            raise

    def grade(self, submission: Submission, choose: Choose = lambda check: True) -> UnitResult:
        """Run the checks of the submission's unit on it, by default all; diagnoses are of what was run."""
        return self._do(lambda loop, checks: loop.grade(submission, checks, choose))

    def first_failure(self, submission: Submission, exercise: str) -> CheckResult | None:
        """The first check of `exercise` that the submission fails, on the case drawn, or None.

        For whoever wants to know only whether the checks notice something: nothing is shrunk, and nothing
        tried elsewhere.
        """

        def choose(check: Check) -> bool:
            return check.exercise == exercise and not check.is_parity

        result = self._do(lambda loop, checks: loop.grade(submission, checks, choose, to_first_failure=True))
        results = [check for each in result.exercises for check in each.checks]
        passing = (Status.PASSED, Status.SKIPPED)
        return next((check for check in results if check.status not in passing), None)

    def answers(
        self,
        submission: Submission,
        exercise: str,
        *,
        cases: int = CASES_PROBED,
        probes: Collection[Probe] | None = None,
    ) -> dict[Probe, Fingerprint | None]:
        """How the submission fails `probes`; by default `cases` cases of each check that is not slow.

        Raises what `fingerprint` does: WorkerLost, say.
        """
        return self._do(lambda loop, checks: loop.answers(submission, checks, exercise, cases, probes))

    def diagnosis(self, submission: Submission, exercise: str) -> Diagnosis | None:
        """The known mistake that the submission's answers in `exercise` are those of."""
        return self._do(lambda loop, checks: loop.diagnosis(submission, checks, exercise))

    def parity(self, submission: Submission, exercise: str, parity: Parity) -> OfParity:
        """What comes of the exercise's check of this parity."""
        return self._do(lambda loop, checks: loop.parity(submission, checks, exercise, parity))

    def _do(self, work: Callable[[GradingLoop, Items], T]) -> T:
        """Let the session's own thread do `work` on the checks that were collected."""
        done: Future[T] = Future()

        def job(loop: GradingLoop, checks: Items) -> None:
            try:
                done.set_result(work(loop, checks))
            except BaseException as error:
                done.set_exception(error)

        self._jobs.put(job)
        return done.result()

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
                code = pytest.main([*options, f"--rootdir={course.root}", *paths], plugins=[self._loop])
            if not self._ready.done():
                why = (
                    self._loop.collection_errors or output.getvalue().strip() or f"pytest ended with {code!r}"
                )
                self._ready.set_exception(CourseError(f"the checks cannot be collected: {why}"))
        except BaseException as error:
            if not self._ready.done():
                self._ready.set_exception(error)
            raise


def _check_files(course: Course, unit: str) -> list[Path]:
    folders = [course.unit(unit).public, course.unit(unit).hidden]
    return [path for folder in folders if folder is not None for path in sorted(folder.glob("test_*.py"))]
