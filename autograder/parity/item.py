"""A check of parity as pytest sees it: an item that no file holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from autograder.check import Check, read_check
from autograder.course import Parity


class ParityItem(pytest.Item):
    """Runs `run`, which whoever collected it puts there: it fails, skips or ends."""

    def __init__(self, *, parity: Parity, exercise: str, points: float, **kwargs: Any) -> None:
        super().__init__(name=f"{parity.test}[{exercise}]", **kwargs)
        self.add_marker(pytest.mark.exercise(exercise, points=points))
        self.parity = parity
        self.run: Callable[[], None] | None = None

    def check(self) -> Check:
        check = read_check(self)
        assert check is not None  # it is marked
        return check

    def runtest(self) -> None:
        assert self.run is not None
        self.run()

    def reportinfo(self) -> tuple[Any, int | None, str]:
        return self.path, None, self.name
