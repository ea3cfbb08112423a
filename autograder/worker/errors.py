"""What a submission raised, as an exception of the same builtin kind in the grader."""

from __future__ import annotations

import builtins
from functools import cache

from autograder.errors import SourceLine, StudentError
from autograder.worker import wire

# Kinds that a check may want to catch. StopIteration and the like would act on the grader's own code.
_KINDS = frozenset(
    """
    ArithmeticError AssertionError AttributeError EOFError FloatingPointError ImportError IndexError KeyError
    LookupError MemoryError ModuleNotFoundError NameError NotImplementedError OverflowError RecursionError
    RuntimeError SyntaxError TypeError UnboundLocalError ValueError ZeroDivisionError
    """.split()
)


def student_error(raised: wire.Raised) -> StudentError:
    """The exception to raise for `raised`: a StudentError that is also of the nearest builtin kind."""
    shown = raised.kinds[0] if raised.kinds else "Exception"
    builtin = next((kind for kind in raised.kinds if kind in _KINDS), None)
    lines = [SourceLine(frame.file, frame.line, frame.function, frame.code) for frame in raised.frames]
    return _class_for(builtin)(raised.message, shown, tuple(lines))


@cache
def _class_for(kind: str | None) -> type[StudentError]:
    if kind is None:
        return StudentError
    return type(f"Student{kind}", (StudentError, getattr(builtins, kind)), {})
