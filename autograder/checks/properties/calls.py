"""What holds for a call of any function: purity, dtype, device, batch, memory layout, randomness."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from autograder.checks.compare import (
    assert_close,
    assert_unchanged,
    expect_no_nan,
    expect_outputs,
    expect_size,
    tolerance,
)
from autograder.checks.describe import (
    describe_dtype,
    describe_index,
    describe_tensor,
    describe_values,
    first_index,
)
from autograder.checks.failure import CheckFailure
from autograder.checks.tensors import Outputs, fresh, generator
from autograder.checks.vacuity import note

DTYPES = (torch.float64, torch.float32, torch.bfloat16)


def check_pure(f: Callable[..., Any], *inputs: Tensor, names: Sequence[str] | None = None) -> None:
    """A call leaves every input as it was, bit for bit."""
    given = [fresh(x) for x in inputs]
    note(f(*given), "the result")
    for i, (before, after) in enumerate(zip(inputs, given, strict=True)):
        name = names[i] if names else f"input {i}"
        if after.shape != before.shape:
            raise CheckFailure(
                ("wrong", f"{name} was modified in place: its shape"),
                ("expected", str(tuple(before.shape))),
                ("got", str(tuple(after.shape))),
                because="a function must leave its inputs as they were",
            )
        modified = (after != before) & ~((after != after) & (before != before))
        if modified.any():
            at = first_index(modified)
            raise CheckFailure(
                ("wrong", f"{name} was modified in place"),
                ("where", f"{name}{describe_index(at)}"),
                ("expected", describe_values(before[at])),
                ("got", describe_values(after[at])),
                ("advice", "avoid operations that end in _, `out=`, `+=` and x[...] = ... on an input"),
                because="a function must leave its inputs as they were",
            )


def check_dtype_and_device(
    f: Callable[..., Outputs],
    inputs: Sequence[Tensor],
    *,
    dtypes: Sequence[torch.dtype] = DTYPES,
    names: Sequence[str] = ("output",),
    terms: int = 4,
) -> None:
    """Outputs of floating point have the dtype and device of the inputs, and about the values of float64.

    A module can be checked by an `f` that converts it first: `lambda x: module.to(x.dtype)(x)`; `dtypes`
    are tried in order, so go from the widest to the narrowest.
    """
    reference: tuple[Tensor, ...] | None = None
    # Rounded first, so that every dtype is given the same numbers and only the computing differs.
    rounded = [x.detach().to(dtypes[-1]) if x.is_floating_point() else x for x in inputs]
    for dtype in dtypes:
        given = [x.to(dtype, copy=True) if x.is_floating_point() else fresh(x) for x in rounded]
        results = expect_outputs(_call(f, given, f"with inputs of dtype {describe_dtype(dtype)}"), names)
        if reference is None:
            reference = results
            for name, wide in zip(names, reference, strict=True):
                note(expect_no_nan(wide, what=name), name)
        because = f"the inputs are {describe_dtype(dtype)}"
        for name, got, wide in zip(names, results, reference, strict=True):
            if wide.is_floating_point():
                rtol = max(tolerance(dtype, terms), tolerance(dtypes[0], terms))
                expected = wide.detach().to(given[0].device, dtype)
                assert_close(got, expected, what=name, because=because, rtol=rtol)


def check_batch_independence(
    f: Callable[..., Outputs], inputs: Sequence[Tensor], *, row: int = -1, names: Sequence[str] = ("output",)
) -> None:
    """A row alone gives what it gives among others; every input and output has the batch as dimension 0."""
    rows = inputs[0].shape[0]
    row %= rows
    changed = f"the batch: row {row} alone, of {rows}" if rows > 1 else "nothing: the same call again"
    together = expect_outputs(f(*map(fresh, inputs)), names)
    alone = expect_outputs(f(*(fresh(x[row : row + 1]) for x in inputs)), names)
    for name, one, many in zip(names, alone, together, strict=True):
        expect_size(many, [(0, inputs[0].shape[0])], what=name)
        assert_unchanged(
            one,
            many[row : row + 1],
            changed=changed,
            because="the rows of a batch have nothing to do with one another",
            what=name,
        )


def check_layouts(
    f: Callable[..., Outputs], inputs: Sequence[Tensor], *, names: Sequence[str] = ("output",)
) -> None:
    """Values matter, not how they lie in memory: transposed, sliced and broadcast inputs give the same.

    An input's dimension 0 is what is broadcast (its first row, expanded).
    """
    contiguous = expect_outputs(f(*map(fresh, inputs)), names)
    strided = [_transposed_and_sliced(x) for x in inputs]
    after = expect_outputs(
        _call(f, strided, "with non-contiguous inputs (transposed and sliced in memory)"), names
    )
    _assert_same(after, contiguous, "how the inputs lie in memory (not contiguous)", names)
    if all(x.ndim == 0 or x.shape[0] == 1 for x in inputs):
        return
    expanded = [x if x.ndim == 0 else fresh(x[:1]).expand(x.shape) for x in inputs]
    copied = expect_outputs(f(*(x.contiguous() for x in expanded)), names)
    after = expect_outputs(
        _call(f, expanded, "with broadcast inputs (`expand`: rows that share memory)"), names
    )
    _assert_same(after, copied, "how the inputs lie in memory (expanded: all rows are one)", names)


def check_deterministic_under_generator(
    f: Callable[[torch.Generator], Outputs],
    seed: int,
    *,
    varies: bool,
    names: Sequence[str] = ("output",),
    tries: int = 8,
) -> None:
    """The generator's state decides, and nothing else does.

    Same state, same result, whatever the global random state is (the engine gives each call another);
    the state advances; and where `varies`, one of `tries` other seeds gives another result.
    """
    first, second = generator(seed), generator(seed)
    one, two = expect_outputs(f(first), names), expect_outputs(f(second), names)
    for name, a, b in zip(names, one, two, strict=True):
        assert_unchanged(
            b,
            a,
            changed="nothing: the same inputs and a generator in the same state",
            because="all randomness comes from `generator`, none from torch's global state",
            what=name,
        )
    if torch.equal(first.get_state(), generator(seed).get_state()):
        raise CheckFailure(
            ("wrong", "the state of `generator` is the same after the call as before"),
            (
                "advice",
                "pass it on: torch.rand(..., generator=generator), torch.multinomial(..., generator=...)",
            ),
            because="a second call with the same generator must be a new draw",
        )
    if varies and all(_same(expect_outputs(f(generator(seed + i)), names), one) for i in range(1, tries + 1)):
        raise CheckFailure(
            ("wrong", f"{tries + 1} generators with different seeds all gave the same result"),
            ("got", describe_tensor(one[0])),
            because="the result is random",
        )


def _call(f: Callable[..., Outputs], inputs: Sequence[Tensor], how: str) -> Outputs:
    """Calls `f`, and adds to what it raises how it was called."""
    try:
        return f(*inputs)
    except NotImplementedError:
        raise
    except Exception as error:
        error.add_note(f"This was a call {how}.")
        raise


def _same(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def _assert_same(
    after: Sequence[Tensor], before: Sequence[Tensor], changed: str, names: Sequence[str]
) -> None:
    for name, now, then in zip(names, after, before, strict=True):
        assert_unchanged(
            now, then, changed=changed, because="the values of the inputs are the same", what=name
        )


def _transposed_and_sliced(x: Tensor) -> Tensor:
    """The same values and shape, columns first and on every second place in memory; 77 stands in between."""
    x = x.detach()
    columns = x.mT if x.ndim >= 2 else x
    between = ~columns if x.dtype == torch.bool else torch.full_like(columns, 77)
    spread = torch.stack((columns, between), dim=-1)[..., 0]
    return spread.mT if x.ndim >= 2 else spread
