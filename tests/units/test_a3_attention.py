"""The laws of laws.py, for a3_attention, and what one unit shows for all."""

from tests.units import laws
from tests.units.laws import *  # noqa: F403


def test_grading_a_mistake_again_gives_the_same_result(graded):
    wrong = graded.with_mistake(laws.MISTAKES["a3_attention"][0])
    first, again = graded.grade(wrong), graded.grade(wrong)
    assert first == again
    assert first != graded.result


def test_grading_again_gives_the_same_result(graded):
    assert graded.grade(graded.solution) == graded.result


def test_the_stubs_fail_every_check_in_this_process(graded):
    counts, output = laws.pytest_counts(graded.unit, graded.unit.public)
    slow, skipped = counts.pop("deselected", 0), counts.pop("skipped", 0)
    assert counts == {"failed": len(laws.checks_of(graded.result)) - slow - skipped}, output
    assert skipped == 2 * len(graded.unit.exercises)
