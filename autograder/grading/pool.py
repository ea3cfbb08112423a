"""Grading by several processes; results come as they are known."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from autograder.course import Course
from autograder.grading.class_folder import Rejected, Task
from autograder.grading.processes import Failed, Grader, Pool, ProcessDied
from autograder.store.results import Graded
from autograder.submission import Submission, UnreadableSubmission, read_submission


def grade_all(
    course: Course, tasks: list[Task], *, jobs: int, sandboxed: bool
) -> Iterator[tuple[Task, Graded | Rejected]]:
    """Grade every task, in the order in which they are done.

    What cannot be graded is a Rejected in place of its result, and the others go on: also where a
    grader process dies, in which case its task is tried once more.
    """
    units = tuple(sorted({task.unit for task in tasks}))
    pool = Pool(course, units, _grade, jobs, sandboxed)
    for task, result in pool.results(tasks):
        yield task, _rejected(task, result.error) if isinstance(result, Failed) else result


def _grade(grader: Grader, task: Task) -> Graded:
    begin = time.monotonic()
    submission = read_task(grader.course, task)
    result = grader.session.grade(submission)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    seconds = round(time.monotonic() - begin, 2)
    return Graded(result, submission.digest, grader.course.version, now, seconds)


def read_task(course: Course, task: Task) -> Submission:
    """The task's submission. Raises what `read_submission` does."""
    return read_submission(task.folder, course.unit(task.unit).modules, task.student, task.unit)


def _rejected(task: Task, error: Exception) -> Rejected:
    if isinstance(error, UnreadableSubmission):
        return Rejected(task.student, str(error))
    name = f"{task.student}/{task.unit}"
    if isinstance(error, ProcessDied):
        return Rejected(name, "the grader process died on it twice; grade it alone to see why.")
    what = f"{type(error).__name__}: {error}"
    return Rejected(name, f"the grader failed on it ({what}); this is a bug in the grader.")
