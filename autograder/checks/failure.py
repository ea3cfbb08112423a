"""The one exception that says to a student what is wrong."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Row = tuple[str, str]

_JUDGED: ContextVar[bool] = ContextVar("_JUDGED", default=True)


@contextmanager
def values_not_judged() -> Iterator[None]:
    """Within, assertions look at types and shapes only: the engine tries a check on answers of no meaning."""
    token = _JUDGED.set(False)
    try:
        yield
    finally:
        _JUDGED.reset(token)


def values_are_judged() -> bool:
    return _JUDGED.get()


class CheckFailure(AssertionError):
    """A law that does not hold, told as labelled rows: changed, wrong, where, expected, got, notice, advice.

    `because` says why the expectation holds. The plugin lays the rows out below the exercise, the law
    and the smallest case; `str()` lays them out alone, for whoever runs a check without it.
    """

    def __init__(self, *rows: Row, because: str | None = None) -> None:
        self.because = because
        self.rows: tuple[Row, ...] = rows
        super().__init__(rows, because)

    def __str__(self) -> str:
        because = [("because", self.because)] if self.because else []
        return align([*self.rows, *because])

    def preceded_by(self, *rows: Row) -> "CheckFailure":
        """The same failure with rows put in front, by a caller who knows more of what was tried."""
        return CheckFailure(*rows, *self.rows, because=self.because)


def align(rows: Iterable[Row]) -> str:
    """One line a row, texts in one column; a text of several lines stays in its column."""
    rows = list(rows)
    width = max((len(label) for label, _ in rows), default=0)
    gap = "\n" + " " * (width + 2)
    return "\n".join(f"{label:<{width}}  {gap.join(text.splitlines())}".rstrip() for label, text in rows)
