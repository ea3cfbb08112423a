"""The two ways in which a check reaches a submission: in this process, or in a worker."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from autograder.check import Check
from autograder.course import Course
from autograder.submission import Submission, read_submission

if TYPE_CHECKING:
    from autograder.local import LocalSubmission
    from autograder.parity.verdict import OfParity
    from autograder.trials import RunnableCheck
    from autograder.worker.reached import RemoteSubmission

# One worker's share of the machine, over its whole life; calls have limits of their own.
WORKER_LIMITS = {"memory_bytes": 4 << 30, "cpu_seconds": 1800}


class Reach(Protocol):
    """Gives checks the submission that they are about."""

    def student(self, check: Check) -> tuple[Any, Callable[[], str]]:
        """The module under test at the start of a case, and what tells what it printed since."""
        ...

    def files(self, check: Check) -> Collection[str]:
        """The submission's file names, as they stand in this process's tracebacks."""
        ...

    def parity(self, check: Check, others: Sequence[RunnableCheck]) -> OfParity:
        """What comes of the cases of `others` elsewhere, for a check of parity."""
        ...

    def close(self) -> None: ...


def find_submission(course: Course, unit_name: str, folder: Path | None) -> Submission:
    """The submission of a unit in `folder`: the unit's own folder, or one that holds it by name.

    By default it is the one under assignments/, where students write. Raises CourseError for an
    unknown unit and UnreadableSubmission for a folder that is none.
    """
    unit = course.unit(unit_name)
    if folder is None:
        folder = unit.public
    elif (folder / unit_name).is_dir():
        folder = folder / unit_name
    return read_submission(folder.absolute(), unit.modules, student=folder.name, unit=unit_name)


class LocalReach:
    """Reaches submissions in this process, one unit open at a time."""

    def __init__(self, course: Course, folder: Path | None) -> None:
        self._course = course
        self._folder = folder
        self._open: LocalSubmission | None = None

    def student(self, check: Check) -> tuple[Any, Callable[[], str]]:
        return self._submission(check.unit).student(check.module), str  # pytest captures what is printed

    def files(self, check: Check) -> Collection[str]:
        return self._submission(check.unit).files

    def parity(self, check: Check, others: Sequence[RunnableCheck]) -> OfParity:
        from autograder.parity.local import local_parity

        self.close()
        submission = find_submission(self._course, check.unit, self._folder)
        return local_parity(submission, self._course.unit(check.unit).rules, check, others)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    def _submission(self, unit: str) -> LocalSubmission:
        from autograder.local import LocalSubmission  # imports torch: not for a pytest run without checks

        if self._open is None or self._open.submission.unit != unit:
            self.close()
            submission = find_submission(self._course, unit, self._folder)
            self._open = LocalSubmission(submission, self._course.unit(unit).rules)
            self._open.open()
        return self._open


class WorkerReach:
    """Reaches submissions in a sandboxed worker, call by call."""

    def __init__(self, course: Course, folder: Path | None, *, sandboxed: bool) -> None:
        from autograder.worker.client import Zygote

        self._course = course
        self._folder = folder
        self._zygote = Zygote(sandboxed=sandboxed, preload=course.preload(unit.name for unit in course.units))
        self._remotes: dict[str, RemoteSubmission] = {}

    def student(self, check: Check) -> tuple[Any, Callable[[], str]]:
        from autograder.worker.client import TimeLimit
        from autograder.worker.links import LiveLink
        from autograder.worker.remote import RemoteStudent

        remote = self._remote(check.unit)
        remote.use(check.module)
        link = LiveLink(remote, check.module, TimeLimit(check.seconds))
        return RemoteStudent(check.module, link), lambda: link.printed

    def files(self, check: Check) -> Collection[str]:
        return ()

    def parity(self, check: Check, others: Sequence[RunnableCheck]) -> OfParity:
        from autograder.parity.elsewhere import Elsewhere
        from autograder.parity.remote import record_remotely
        from autograder.parity.verdict import typical_case

        remote = self._remote(check.unit)
        elsewhere = Elsewhere(remote, [check])
        try:
            for each in others:
                recorded = record_remotely(each.check, *typical_case(each), remote)
                if recorded is not None:
                    elsewhere.ask(each.check, recorded)
            return elsewhere.judge(check)
        finally:
            elsewhere.close()

    def close(self) -> None:
        for remote in self._remotes.values():
            remote.close()
        self._zygote.close()

    def _remote(self, unit: str) -> RemoteSubmission:
        from autograder.worker.reached import RemoteSubmission

        if unit not in self._remotes:
            submission = find_submission(self._course, unit, self._folder)
            rules = self._course.unit(unit).rules
            self._remotes[unit] = RemoteSubmission(self._zygote, submission, rules, WORKER_LIMITS)
        return self._remotes[unit]
