"""What a simulated device notes while code runs on it: breaches of CUDA's rules, copies to the host."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import CodeType
from typing import Literal


class NotSimulated(RuntimeError):
    """The simulation cannot tell what a real device would do here; it says nothing against the code."""


class DeviceMismatch(RuntimeError):
    """A breach of CUDA's rules about devices, where a real device would raise."""


@dataclass(frozen=True)
class Violation:
    """One breach; `message` is what CUDA builds of PyTorch say.

    The place is the innermost line of the student's; `file` is "" and `line` 0 where none was running.
    """

    operator: str
    message: str
    file: str
    line: int
    function: str


@dataclass(frozen=True)
class Transfer:
    """The host waited for the device: a tensor was copied to it ("copy"), or a value was read ("read").

    `is_of_numbers` says of a copy whether it was of floating numbers: lengths and indices may have to be on
    the host, as packing wants them.
    """

    operator: str
    kind: Literal["copy", "read"]
    file: str
    line: int
    function: str
    is_of_numbers: bool = False


@dataclass
class Log:
    """All that was noted on one device; `student_files` are the file names that code objects carry."""

    student_files: frozenset[str] = frozenset()
    violations: list[Violation] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)

    def breach(self, operator: str, message: str, code: CodeType | None = None) -> DeviceMismatch:
        """Note it, and return the error to raise; `code`, if the student's, is to blame but runs no more."""
        place = self._place()
        if code is not None and code.co_filename in self.student_files:
            place = (code.co_filename, code.co_firstlineno, code.co_name)
        self.violations.append(Violation(operator, message, *place))
        return DeviceMismatch(message)

    def transfer(self, operator: str, kind: Literal["copy", "read"], *, is_of_numbers: bool = False) -> None:
        self.transfers.append(Transfer(operator, kind, *self._place(), is_of_numbers))

    def _place(self) -> tuple[str, int, str]:
        frame = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename in self.student_files:
                return frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name
            if frame.f_back is None:
                break
            frame = frame.f_back
        return "", 0, ""


# The log of the device that is entered; what happens to its tensors after it was left is noted nowhere.
_current: Log | None = None


def current() -> Log:
    """The log of the device that is entered, or one that nobody reads."""
    return _current if _current is not None else Log()


def is_entered() -> bool:
    return _current is not None


def enter(log: Log | None) -> None:
    """Make `log` the current one; None ends it."""
    global _current
    _current = log
