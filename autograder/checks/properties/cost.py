"""How work grows with the size of the input: counted, never timed."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from autograder.checks.failure import CheckFailure
from autograder.checks.vacuity import note
from autograder.counting import counting

Growth = Literal["constant", "linear", "quadratic"]

_POWER: dict[Growth, int] = {"constant": 0, "linear": 1, "quadratic": 2}
_TOO_FAST: dict[Growth, str] = {
    "constant": "with",
    "linear": "faster than",
    "quadratic": "faster than the square of",
}


def check_cost_growth(
    f: Callable[..., Any],
    inputs: Callable[[int], Sequence[Any]],
    small: int,
    large: int,
    *,
    of: str,
    because: str,
    growth: Growth = "linear",
    with_masks: bool = False,
) -> None:
    """The work of a call grows no faster than `growth` says, from a `small` size of its input to a `large`.

    `inputs(size)` makes the arguments of `f` for so many of what `of` names ("edges"), all else in proportion
    or fixed. It may call the submission, to fill a cache: the call of `f` alone is counted. What that returns
    is noted; a backward pass does not belong into it, since in a worker it would not be counted.

    Work is the elements of the tensors of floating point that are made; `with_masks` those of indices and
    masks too, where they are what the exercise is about. Operations are not judged, only told: a loop is
    correct. Nor are absolute numbers. What is allowed lies halfway, on the scale of powers, to the next
    higher one: for 8 times the size and "linear" 8^1.5 = 22.6 times the work, where pairs of all take up to
    64. Terms of lower order only slow growth down, so correct work stays below 8, but for what comes in
    steps, such as a padded block or a buffer that doubles. Pairs are seen only where they are most of the
    work: the sizes must be large enough for that, and four times apart at least.
    """
    costs = []
    for size in (small, large):
        arguments = inputs(size)
        with counting() as cost:
            result = f(*arguments)
        note(result)
        costs.append(cost)
    before, after = (cost.elements + with_masks * cost.discrete for cost in costs)
    times, power = large / small, _POWER[growth]
    # Where next to nothing is made for the small size, one element for each of it is no offence.
    grown = after / max(before, small)
    if grown > times ** (power + 0.5):
        raise CheckFailure(
            ("smallest case", f"{small:,} {of}, then {large:,}"),
            ("wrong", f"the work grows {_TOO_FAST[growth]} the number of {of}"),
            ("expected", f"about {_times(times**power)} work for {times:g} times the {of}"),
            ("got", f"{grown:,.1f} times the work: {before:,} elements made, then {after:,}"),
            ("advice", _advice(costs[0].operations, costs[1].operations)),
            because=because,
        )


def _times(x: float) -> str:
    return "the same" if x == 1 else f"{x:g} times the"


def _advice(before: int, after: int) -> str:
    """What the numbers of operations say of where to look."""
    told = f"operations: {before:,}, then {after:,}"
    if after <= 1.5 * before:
        return f"{told}: not more of them, but larger tensors; look at the shapes"
    return f"{told}: a loop costs no points, but look at what each of its turns makes"
