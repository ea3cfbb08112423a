"""What goes wrong on a submission's side, whichever way the submission is reached."""

from __future__ import annotations

from dataclasses import dataclass


class ModuleProblem(Exception):
    """A module of a submission cannot be used at all; the message is one sentence for people."""


class WorkerLost(Exception):
    """The worker can no longer be used; the message ends the sentence "the worker …"."""


class WorkerTimeout(WorkerLost):
    """A call used up its time."""


class WorkerCrashed(WorkerLost):
    """The process is gone, or what it sent was no answer."""


class GraderBroken(BaseException):
    """The grader itself can no longer grade: no fault of the submission at hand.

    A BaseException: what catches a submission's failures must not take it for one.
    """


@dataclass(frozen=True)
class SourceLine:
    """A line of the submission that an exception passed through."""

    file: str
    line: int
    function: str
    code: str


class StudentError(Exception):
    """Raised by the submission in a worker; `kind` is the exception's class name there."""

    def __init__(self, message: str, kind: str, lines: tuple[SourceLine, ...]) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.lines = lines

    def __str__(self) -> str:
        return self.message  # KeyError would show its repr


def is_a_stub(error: NotImplementedError) -> bool:
    """Whether code that is still to be written raised it: torch's own, of what it lacks, say something."""
    return not str(error)


# What a submission may raise that is no answer to a case: it is the same on any other.
NO_ANSWER = (ModuleProblem, WorkerLost, NotImplementedError, SyntaxError)
