"""What must not matter: masked entries, padding, the future."""

from collections.abc import Callable, Sequence

from torch import Tensor

from autograder.checks.compare import assert_unchanged, expect_outputs, expect_size, expect_tensor
from autograder.checks.describe import describe_index, describe_values, first_index
from autograder.checks.failure import CheckFailure
from autograder.checks.tensors import (
    Outputs,
    fresh,
    gradients,
    leaf,
    other_where,
    over_leading,
    poison_where,
)


def check_ignores(
    f: Callable[..., Outputs],
    inputs: Sequence[Tensor],
    where: Sequence[Tensor | None],
    *,
    changed: str,
    because: str,
    names: Sequence[str] = ("output",),
    keep: Sequence[Tensor | None] | None = None,
    not_finite: bool = True,
    gradient: bool = True,
) -> None:
    """What stands in `inputs` where the masks `where` are True reaches no output.

    Not by other values, not by NaN and inf, not by gradient. `where[i]` covers the leading dimensions of
    `inputs[i]` (None: all of it matters). `keep[j]` marks the leading entries of output j to which the law
    applies (None: all). Inputs of integers are left alone.
    """
    keep = keep or [None] * len(names)
    marked = [i for i, w in enumerate(where) if w is not None and w.any()]
    if not marked:
        return
    clean = [leaf(x) if gradient and i in marked else fresh(x) for i, x in enumerate(inputs)]
    before = expect_outputs(f(*clean), names)
    for name, out, kept in zip(names, before, keep, strict=True):
        if kept is not None:
            expect_size(out, list(enumerate(kept.shape)), what=name)
    attempts = [("to other values", other_where)]
    if not_finite:
        attempts.append(("to NaN, inf, -inf and 1e18 in turn", poison_where))
    for value, change in attempts:
        after = expect_outputs(f(*_changed(inputs, where, change)), names)
        for name, now, then, kept in zip(names, after, before, keep, strict=True):
            assert_unchanged(now, then, changed=f"{changed}, {value}", because=because, what=name, where=kept)
    if gradient:
        kept_outputs = [_zero_outside(out, kept) for out, kept in zip(before, keep, strict=True)]
        for i, grad in zip(marked, gradients(kept_outputs, [clean[i] for i in marked]), strict=True):
            mask = where[i]
            assert mask is not None
            _assert_no_gradient(grad, mask, changed=changed, because=because)


def check_causal(
    f: Callable[[Tensor], Tensor],
    x: Tensor,
    *,
    at: int,
    dim_in: int = 1,
    dim_out: int = 1,
    because: str = "a step may not see what comes after it",
    what: str = "output",
    not_finite: bool = False,
) -> None:
    """Outputs before step `at` depend on no input from step `at` on: by value and by gradient."""
    steps = x.shape[dim_in]
    if not 0 < at < steps:
        return
    future = x.narrow(dim_in, at, steps - at)
    clean = leaf(x)
    whole = expect_tensor(f(clean), what=what)
    expect_size(whole, [(dim_out, steps)], what=what)
    past = whole.narrow(dim_out, 0, at)
    later = poison_where(future == future, future)[0] if not_finite else 3 - 2 * future.flip(-1)
    other = fresh(x)
    other.narrow(dim_in, at, steps - at).copy_(later)
    changed = f"the input from step {at} on (steps count from 0)"
    after = expect_tensor(f(other), what=what)
    expect_size(after, [(dim_out, steps)], what=what)
    assert_unchanged(
        after.narrow(dim_out, 0, at),
        past,
        changed=changed,
        because=because,
        what=f"{what} of step 0" if at == 1 else f"{what} of steps 0 to {at - 1}",
    )
    grad = gradients(past, [clean])[0].narrow(dim_in, at, steps - at)
    _assert_no_gradient(grad, grad == grad, changed=changed, because=because)


def _changed(
    inputs: Sequence[Tensor], where: Sequence[Tensor | None], change: Callable[..., tuple[Tensor, ...]]
) -> list[Tensor]:
    return [
        fresh(x) if w is None or not x.is_floating_point() else change(w, x)[0]
        for x, w in zip(inputs, where, strict=True)
    ]


def _zero_outside(out: Tensor, kept: Tensor | None) -> Tensor:
    return out if kept is None else out.masked_fill(~over_leading(kept, out), 0.0)


def _assert_no_gradient(grad: Tensor, where: Tensor, *, changed: str, because: str) -> None:
    """A gradient of exactly 0 where the mask is True; NaN is not 0."""
    wrong = (grad != 0) & over_leading(where, grad)
    if wrong.any():
        at = first_index(wrong)
        raise CheckFailure(
            ("wrong", "gradient flows to what must not matter"),
            ("where", f"the gradient of the output by {changed}, at {describe_index(at)}"),
            ("expected", "0.0"),
            ("got", describe_values(grad[at])),
            because=because,
        )
