"""Symmetry under a change of order."""

from collections.abc import Callable, Sequence

from torch import Tensor

from autograder.checks.compare import (
    assert_close,
    assert_unchanged,
    expect_no_nan,
    expect_outputs,
    expect_size,
)
from autograder.checks.describe import describe_values
from autograder.checks.failure import CheckFailure
from autograder.checks.tensors import Outputs, fresh
from autograder.checks.vacuity import note


def check_permutation_equivariance(
    f: Callable[[Tensor], Tensor], x: Tensor, *, dim: int, perm: Tensor, because: str, what: str = "output"
) -> None:
    """f(P x) equals P f(x) for the permutation `perm` of dimension `dim`, of the input and of the output."""
    before = expect_no_nan(f(fresh(x)), what=what)
    note(before, what)
    expect_size(before, [(dim, x.shape[dim])], what=what)
    after = f(x.index_select(dim, perm))
    try:
        assert_close(after, before.index_select(dim, perm), what=what)
    except CheckFailure as failure:
        order = f"the input reordered along dimension {dim}: {describe_values(perm)}"
        rows = [
            (label, f"{what} reordered in the same way: {text}" if label == "expected" else text)
            for label, text in failure.rows
        ]
        raise CheckFailure(("changed", order), *rows, because=because) from None


def check_permutation_invariance(
    f: Callable[..., Outputs],
    inputs: Sequence[Tensor],
    *,
    dims: Sequence[int],
    perm: Tensor,
    because: str,
    names: Sequence[str] = ("output",),
) -> None:
    """f stays the same when its inputs are reordered together, each along its dimension in `dims`."""
    before = expect_outputs(f(*map(fresh, inputs)), names)
    reordered = [x.index_select(dim, perm) for x, dim in zip(inputs, dims, strict=True)]
    after = expect_outputs(f(*reordered), names)
    changed = f"the order of what is summed over: {describe_values(perm)}"
    for name, now, then in zip(names, after, before, strict=True):
        assert_unchanged(now, then, changed=changed, because=because, what=name)
