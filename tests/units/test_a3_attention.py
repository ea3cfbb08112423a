"""The laws of laws.py, for a3_attention, and what one unit shows for all."""

from tests.units import laws
from tests.units.laws import *  # noqa: F403


def test_grading_a_mistake_again_gives_the_same_result(graded):
    wrong = graded.with_mistake(laws.MISTAKES["a3_attention"][0])
    first, again = graded.grade(wrong), graded.grade(wrong)
    assert first == again
    assert first != graded.result
