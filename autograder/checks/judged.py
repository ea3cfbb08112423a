"""What a check looked at last: where it fails, the wrong answer itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any


class LastJudged:
    """The value that the latest assertion was about, and what it was called."""

    def __init__(self) -> None:
        self.value: Any = None
        self.what = ""


_LAST: ContextVar[LastJudged | None] = ContextVar("_LAST", default=None)


@contextmanager
def last_judged() -> Iterator[LastJudged]:
    """Keep what is judged within, the latest only."""
    last = LastJudged()
    token = _LAST.set(last)
    try:
        yield last
    finally:
        _LAST.reset(token)


def judging(value: Any, what: str) -> None:
    """Tell the engine that an assertion is about to look at `value`, which the submission computed."""
    last = _LAST.get()
    if last is not None:
        last.value, last.what = value, what
