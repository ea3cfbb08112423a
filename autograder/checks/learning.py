"""What a submission is to learn, and when it has."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autograder.checks.failure import CheckFailure


@dataclass(frozen=True)
class LearningTask:
    """Training that is judged by one number, which a sound submission reaches with any seed.

    `learn(student)` builds, trains and tests the submission's model of `module` and returns the number,
    `measure` says in words what it is, and `required` is what it must reach: at least, or at most where
    lower is better. `benchmarks/thresholds.py` shows what sound and mistaken submissions reach with many
    seeds of torch's global state; where `learn` draws with seeds of its own, `sweep(student, i)` is the same
    with others.
    """

    name: str
    exercise: str
    module: str
    measure: str
    required: float
    learn: Callable[[Any], float]
    lower_is_better: bool = False
    sweep: Callable[[Any, int], float] | None = None

    def is_reached_by(self, value: float) -> bool:
        return value <= self.required if self.lower_is_better else value >= self.required

    def check(self, student: Any) -> None:
        """Train and judge; raises CheckFailure where too little was learned."""
        value = self.learn(student)
        if not self.is_reached_by(value):
            bound = "at most" if self.lower_is_better else "at least"
            raise CheckFailure(
                ("wrong", f"too little is learned: {self.measure}"),
                ("expected", f"{bound} {self.required:g}"),
                ("got", f"{value:.4g}"),
            )
