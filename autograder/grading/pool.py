"""Grader processes, each with a session and a zygote of its own; results come as they are known."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from autograder.course import Course, CourseError
from autograder.errors import GraderBroken
from autograder.grading.class_folder import Rejected, Task
from autograder.results import UnitResult
from autograder.submission import UnreadableSubmission, read_submission


def grade_all(
    course: Course, tasks: list[Task], *, jobs: int, sandboxed: bool
) -> Iterator[tuple[Task, UnitResult | Rejected]]:
    """Grade every task, in the order in which they are done.

    What cannot be graded is a Rejected in place of its result, and the others go on: also where a
    grader process dies, in which case its task is tried once more.
    """
    units = tuple(sorted({task.unit for task in tasks}))
    waiting = tasks
    while waiting:
        lost: list[Task] = []
        for task, outcome in _run_pool(course, units, waiting, jobs, sandboxed):
            if isinstance(outcome, BrokenProcessPool):
                lost.append(task)
            else:
                yield task, outcome
        if len(lost) == len(waiting):  # no headway: the first takes a pool of its own, and goes down alone
            for task, outcome in _run_pool(course, units, [lost.pop(0)], 1, sandboxed):
                if isinstance(outcome, BrokenProcessPool):
                    why = "the grader process died on it twice; grade it alone to see why."
                    outcome = Rejected(_name(task), why)
                yield task, outcome
        waiting = lost


def _run_pool(
    course: Course, units: tuple[str, ...], tasks: list[Task], jobs: int, sandboxed: bool
) -> Iterator[tuple[Task, UnitResult | Rejected | BrokenProcessPool]]:
    if not tasks:
        return
    # spawn: a forked copy of this process could hang on its threads
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start, (course.root, units, sandboxed))
    try:
        futures: dict[Future[UnitResult], Task] = {pool.submit(_grade, task): task for task in tasks}
        for future in as_completed(futures):
            task = futures[future]
            try:
                yield task, future.result()
            except UnreadableSubmission as error:
                yield task, Rejected(task.student, str(error))
            except BrokenProcessPool as error:
                yield task, error
            except CourseError:
                raise
            except Exception as error:  # a bug of the grader must not cost the rest of the class
                what = f"{type(error).__name__}: {error}"
                yield (
                    task,
                    Rejected(_name(task), f"the grader failed on it ({what}); this is a bug in the grader."),
                )
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Grader:
    """What a grader process keeps from one task to the next."""

    def __init__(self, root: Path, units: tuple[str, ...], sandboxed: bool) -> None:
        from autograder.grading.session import GradingSession

        self.course = Course(root)
        self.session = GradingSession(self.course, units, sandboxed=sandboxed)


_settings: tuple[Path, tuple[str, ...], bool] | None = None
_grader: _Grader | None = None


def _start(root: Path, units: tuple[str, ...], sandboxed: bool) -> None:
    global _settings
    _settings = (root, units, sandboxed)
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that people see


def _grade(task: Task) -> UnitResult:
    global _grader
    if _grader is None:  # here and not in _start: an error in a pool's initialiser loses its message
        assert _settings is not None
        _grader = _Grader(*_settings)
    modules = _grader.course.unit(task.unit).modules
    submission = read_submission(task.folder, modules, task.student, task.unit)
    try:
        return _grader.session.grade(submission)
    except GraderBroken:
        os._exit(70)  # the pool is made anew, and the task tried once more


def _name(task: Task) -> str:
    return f"{task.student}/{task.unit}"
