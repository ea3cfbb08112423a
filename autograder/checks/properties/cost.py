"""How work grows with the size of the input: counted, never timed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from autograder.checks.failure import CheckFailure
from autograder.checks.vacuity import note
from autograder.counting import counting

# What a sound way may need beyond proportion: a sorted copy, a padded block.
SLACK = 1.5


def check_cost_in_proportion(
    run: Callable[[int], Any], small: int, large: int, *, of: str, because: str
) -> None:
    """`run(size)` must make at most in proportion as many elements for the `large` size as for the `small`.

    `run` calls the student's code on a case of so many of what `of` names ("edges"), all else in
    proportion or fixed. What the call returns is noted. Make `small` large enough for constant terms
    not to matter. Raises CheckFailure.
    """
    made = []
    for size in (small, large):
        with counting() as cost:
            result = run(size)
        note(result)
        made.append(cost.elements)
    allowed = int(SLACK * made[0] * large / small)
    if made[1] > allowed:
        raise CheckFailure(
            ("wrong", f"the work grows faster than the number of {of}"),
            ("changed", f"{small} {of} to {large}, {large / small:g} times as many"),
            ("expected", f"at most {allowed} elements computed, since {made[0]} were for {small}"),
            ("got", f"{made[1]} elements, {made[1] / max(made[0], 1):.1f} times as many"),
            because=because,
        )
