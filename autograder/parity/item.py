"""The parity check as pytest sees it: an item that no file holds, one an exercise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from autograder.check import Check, read_check

LAW = "works on a GPU as on the CPU"
_NAME = "test_works_on_a_gpu_as_on_the_cpu"


class ParityItem(pytest.Item):
    """Runs `run`, which whoever collected it puts there: it fails, skips or ends."""

    law = LAW

    def __init__(self, *, exercise: str, points: float, **kwargs: Any) -> None:
        super().__init__(name=f"{_NAME}[{exercise}]", **kwargs)
        self.add_marker(pytest.mark.exercise(exercise, points=points))
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
