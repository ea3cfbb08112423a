"""Grader processes, each with a session and a zygote of its own, and the tasks that they do."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from autograder.course import Course, CourseError
from autograder.errors import GraderBroken

if TYPE_CHECKING:
    from autograder.grading.session import GradingSession

T = TypeVar("T")
R = TypeVar("R")


class ProcessDied(Exception):
    """Two grader processes died on a task."""


@dataclass(frozen=True)
class Failed:
    """In place of a task's result: what was raised, or ProcessDied."""

    error: Exception


@dataclass(frozen=True, eq=False)
class Grader:
    """What a grader process keeps from one task to the next."""

    course: Course
    session: GradingSession


@dataclass(frozen=True)
class Pool(Generic[T, R]):
    """`jobs` processes that `work` on tasks of some units; `work` travels by name, so a module defines it."""

    course: Course
    units: tuple[str, ...]
    work: Callable[[Grader, T], R]
    jobs: int
    sandboxed: bool = True

    def results(self, tasks: Sequence[T]) -> Iterator[tuple[T, R | Failed]]:
        """Every task with its result, in the order in which they are done.

        Where one fails, the others go on: also where a process dies, in which case its task is tried once
        more. Only a CourseError, which would come again with every task, is raised.
        """
        waiting = list(tasks)
        while waiting:
            lost: list[T] = []
            for task, result in self._run(waiting, self.jobs):
                if _is_lost(result):
                    lost.append(task)
                else:
                    yield task, result
            if len(lost) == len(
                waiting
            ):  # no headway: the first takes a pool of its own, and goes down alone
                for task, result in self._run([lost.pop(0)], 1):
                    yield task, Failed(ProcessDied()) if _is_lost(result) else result
            waiting = lost

    def _run(self, tasks: list[T], jobs: int) -> Iterator[tuple[T, R | Failed]]:
        # spawn: a forked copy of this process could hang on its threads
        context = multiprocessing.get_context("spawn")
        settings = (self.course.root, self.units, self.sandboxed)
        pool = ProcessPoolExecutor(min(jobs, len(tasks)), context, _start, settings)
        try:
            futures: dict[Future[R], T] = {pool.submit(_do, self.work, task): task for task in tasks}
            for future in as_completed(futures):
                task = futures.pop(future)
                try:
                    result: R | Failed = future.result()
                except CourseError:
                    raise
                except Exception as error:  # a bug of the grader must not cost the other tasks
                    result = Failed(error)
                yield task, result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_settings: tuple[Path, tuple[str, ...], bool] | None = None
_grader: Grader | None = None


def _start(root: Path, units: tuple[str, ...], sandboxed: bool) -> None:
    global _settings
    _settings = (root, units, sandboxed)
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that people see


def _do(work: Callable[[Grader, T], R], task: T) -> R:
    try:
        return work(_this_grader(), task)
    except GraderBroken:
        os._exit(70)  # the pool is made anew, and the task tried once more


def _this_grader() -> Grader:
    global _grader
    if _grader is None:  # here and not in _start: an error in a pool's initialiser loses its message
        from autograder.grading.session import GradingSession

        assert _settings is not None
        root, units, sandboxed = _settings
        course = Course(root)
        _grader = Grader(course, GradingSession(course, units, sandboxed=sandboxed))
    return _grader


def _is_lost(result: object) -> bool:
    return isinstance(result, Failed) and isinstance(result.error, BrokenProcessPool)
