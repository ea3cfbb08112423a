"""What a check belongs to and what it is worth."""

import pytest


def exercise(name: str, points: float, **limits: float) -> pytest.MarkDecorator:
    """Mark a check as one of an exercise; `points` is the exercise's total, shared by its checks.

    `seconds=` is what one call of the student's code may take, where it is more than a moment.
    """
    return pytest.mark.exercise(name, points=points, **limits)
