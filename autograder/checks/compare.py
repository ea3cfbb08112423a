"""Assertions on what a student's function returned, from what it is to what it holds."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor, nn

from autograder.checks.describe import (
    SMALL,
    describe_apart,
    describe_dtype,
    describe_index,
    describe_not_finite,
    describe_number,
    describe_shape,
    describe_type,
    describe_values,
    first_index,
    unravel,
)
from autograder.checks.failure import CheckFailure, Row, values_are_judged
from autograder.checks.judged import judging
from autograder.checks.tensors import over_leading
from autograder.checks.vacuity import note

TERMS: Final = 64  # the longest sum in a drawn case, unless its check knows better


def tolerance(dtype: torch.dtype, terms: int = TERMS) -> float:
    """The relative error that two sound ways to compute the same thing may differ by.

    Rounding errors of a sum of n terms, added in whatever order, wander like √n · eps (Higham 2002, §4.2;
    the worst case is n · eps). What follows the sum (exp, a division, a cancellation) multiplies this by
    the condition number, which drawn cases leave far below eps^(-1/3). Hence √n · eps^(2/3):
    3e-10 in float64, 2e-4 in float32, 0.3 in bfloat16 for 64 terms; 0.04 in bfloat16 for one.
    """
    return math.sqrt(max(terms, 1)) * math.pow(torch.finfo(dtype).eps, 2 / 3)


def assert_close(
    got: Any,
    expected: Tensor,
    *,
    because: str | None = None,
    what: str = "output",
    dims: str | None = None,
    terms: int = TERMS,
    rtol: float | None = None,
    atol: float | None = None,
) -> None:
    """`got` is a tensor of the shape, dtype and device of `expected`, and equal but for rounding.

    `dims` names the dimensions ("batch queries d"). Entries of `expected` may be NaN or infinite: then
    those of `got` must be so too. The absolute tolerance is the relative one times the largest
    magnitude expected (one at least), since that is what sums cancel from.
    """
    got = assert_like(got, expected, because=because, what=what, dims=dims)
    if expected.numel() == 0 or not values_are_judged():
        return
    if not (expected.is_floating_point() or expected.is_complex()):
        _report_values(got, expected, got != expected, because, what)
        return
    got, expected = got.detach(), expected.detach()
    _report_not_finite(got, expected, because, what)
    wide = torch.float64 if expected.is_floating_point() else torch.complex128
    got64, expected64 = got.to(wide), expected.to(wide)
    if rtol is None:
        rtol = tolerance(expected.dtype, terms)
    if atol is None:
        finite = expected64[expected64.isfinite()]
        atol = rtol * max(1.0, float(finite.abs().max()) if finite.numel() else 1.0)
    wrong = ~torch.isclose(got64, expected64, rtol=rtol, atol=atol, equal_nan=True)
    _report_values(got, expected, wrong, because, what)


def assert_like(
    got: Any, expected: Tensor, *, because: str | None = None, what: str = "output", dims: str | None = None
) -> Tensor:
    """`got` is a tensor of the shape, dtype and device of `expected`; returns it."""
    judging(got, what)
    tensor = expect_tensor(got, what=what)
    if tensor.shape != expected.shape:
        raise CheckFailure(
            ("wrong", f"{what} has the wrong shape"),
            ("expected", describe_shape(tuple(expected.shape), dims)),
            ("got", describe_shape(tuple(tensor.shape))),
            *_shape_advice(tuple(tensor.shape), tuple(expected.shape)),
            because=because,
        )
    if tensor.dtype != expected.dtype:
        raise CheckFailure(
            ("wrong", f"{what} has the wrong dtype"),
            ("expected", describe_dtype(expected.dtype)),
            ("got", describe_dtype(tensor.dtype)),
            because=because,
        )
    if tensor.device != expected.device:
        raise CheckFailure(
            ("wrong", f"{what} is on the wrong device"),
            ("expected", str(expected.device)),
            ("got", str(tensor.device)),
            because=because,
        )
    return tensor


def assert_shape(got: Any, shape: Sequence[int], *, what: str = "output", dims: str | None = None) -> Tensor:
    """`got` is a tensor of this shape, whatever it holds; returns it."""
    tensor = expect_tensor(got, what=what)
    assert_like(tensor, tensor.new_empty(tuple(shape)), what=what, dims=dims)
    return tensor


def assert_unchanged(
    after: Any,
    before: Tensor,
    *,
    changed: str,
    because: str | None = None,
    what: str = "output",
    where: Tensor | None = None,
    computed: bool = True,
) -> None:
    """The same result came out after `changed`; only where `where` is True, which covers leading dimensions.

    `before` is what the submission computed of finite inputs: it holds no NaN, which would be "unchanged" by
    anything, and is noted (see vacuity.py). With `computed=False` it is what a submission had to leave alone.
    """
    kept = None if where is None else over_leading(where, before)
    if computed:
        note(before if kept is None else before[kept], what)
        expect_no_nan(before if kept is None else before.masked_fill(~kept, 0), what=what)
    try:
        if kept is not None:
            # Zeros elsewhere, so that an index in a message is one of the output.
            after = assert_like(after, before, what=what).detach().masked_fill(~kept, 0)
            before = before.detach().masked_fill(~kept, 0)
        assert_close(after, before, what=what)
    except CheckFailure as failure:
        rows = [
            (label, f"{what} unchanged: {text}" if label == "expected" else text)
            for label, text in failure.rows
        ]
        raise CheckFailure(("changed", changed), *rows, because=because) from None


def assert_zero(
    got: Any, *, where: Tensor | None = None, because: str | None = None, what: str = "output"
) -> None:
    """Exactly 0 everywhere, or at the entries where the mask `where` (broadcast to `got`) is True."""
    judging(got, what)
    got = expect_tensor(got, what=what).detach()
    if not values_are_judged():
        return
    wrong = got != 0
    if where is not None:
        wrong = wrong & where
    if not wrong.any():
        return
    at = first_index(wrong)
    checked = got.numel() if where is None else int(where.expand(got.shape).sum())
    count = int(wrong.sum())
    values = f"{count} of the {checked} values" if checked > 1 else "the one value"
    raise CheckFailure(
        ("wrong", f"{values} of {what} that must be exactly 0 {'is' if count == 1 else 'are'} not"),
        ("where", _place(what, at)),
        ("expected", "0.0"),
        ("got", describe_values(got[at])),
        because=because,
    )


def expect_tensor(got: Any, *, what: str = "output") -> Tensor:
    """`got`, which must be a plain tensor."""
    if type(got) is torch.Tensor or type(got) is nn.Parameter:
        return got
    raise CheckFailure(
        ("wrong", f"{what} is not a tensor"), ("expected", "a torch.Tensor"), ("got", describe_type(got))
    )


def expect_no_nan(got: Any, *, what: str = "output") -> Tensor:
    """`got`, which must be a tensor without NaN: one law would take that for equal, another for changed."""
    tensor = expect_tensor(got, what=what)
    if tensor.isnan().any():
        raise CheckFailure(
            ("wrong", _holds_not_finite(tensor.detach(), what)),
            ("expected", "no NaN"),
            because="the inputs are finite",
        )
    return tensor


def expect_outputs(got: Any, names: Sequence[str] | None = None) -> tuple[Tensor, ...]:
    """`got` as a tuple of tensors: a tensor alone, or one a name."""
    if names is None:
        names = [f"output {i}" for i in range(len(got))] if isinstance(got, (tuple, list)) else ["output"]
    if len(names) == 1 and not isinstance(got, (tuple, list)):
        return (expect_tensor(got, what=names[0]),)
    outputs = expect_tuple(got, len(names), names)
    return tuple(expect_tensor(out, what=name) for name, out in zip(names, outputs, strict=True))


def expect_size(out: Tensor, sizes: Sequence[tuple[int, int]], *, what: str = "output") -> None:
    """`out` has each (dimension, size); for laws that look at one dimension and leave the others free."""
    for dim, size in sizes:
        if not (-out.ndim <= dim < out.ndim and out.shape[dim] == size):
            raise CheckFailure(
                ("wrong", f"{what} has the wrong shape"),
                ("expected", f"size {size} in dimension {dim}"),
                ("got", describe_shape(tuple(out.shape))),
            )


def expect_tuple(got: Any, n: int, names: Sequence[str]) -> tuple[Any, ...]:
    """`got`, which must be a tuple (or list) of the `n` things called `names`."""
    if isinstance(got, (tuple, list)) and len(got) == n:
        return tuple(got)
    raise CheckFailure(
        ("wrong", f"the result is not a tuple of {n}"),
        ("expected", f"({', '.join(names)})"),
        ("got", describe_type(got)),
    )


def expect_value_error(call: Callable[[], Any], argument: str | Sequence[str], value: Any) -> None:
    """`call` raises a ValueError whose message names the argument and the offending value, in any wording.

    Where the value is a relation between arguments, `argument` lists those of which one must be named. An
    empty list asks for the value alone: for what has no name of its own, the length of an input, say.
    """
    arguments = [argument] if isinstance(argument, str) else list(argument)
    argument = " or ".join(arguments) or "the value"
    named = f"names {argument} and its value {value!r}" if arguments else f"holds {value!r}"
    expected = ("expected", f"a ValueError whose message {named}")
    refused = f"{argument}={value!r}" if len(arguments) == 1 else f"{value!r} for {argument}"
    wrong = ("wrong", f"{refused} is not refused as it should be")
    try:
        result = call()
    except NotImplementedError:
        raise
    except ValueError as error:
        message = str(error)
        missing = [
            name
            for name, found in (
                (f"the name {argument}", not arguments or any(_names(message, name) for name in arguments)),
                (f"the value {value!r}", _names_value(message, value)),
            )
            if not found
        ]
        if missing:
            raise CheckFailure(
                ("wrong", f"the message of the ValueError lacks {' and '.join(missing)}"),
                expected,
                ("got", f"ValueError: {message[:300]}"),
            ) from error
    except Exception as error:
        # An exception of the grader itself (a worker that died, a time limit) is not the student's answer.
        if type(error).__module__ not in ("builtins", "torch", "torch._C"):
            raise
        got = f"{type(error).__name__}: {str(error)[:300]}"
        raise CheckFailure(wrong, expected, ("got", got)) from error
    else:
        raise CheckFailure(wrong, expected, ("got", f"no error, but {describe_type(result)}"))


_SHORT: Final = 80  # characters, in which more than a few values can be told

_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?inf|nan", re.IGNORECASE)


def _names(message: str, argument: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(argument)}(?!\w)", message) is not None


def _names_value(message: str, value: Any) -> bool:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        numbers = [float(text) for text in _NUMBER.findall(message)]
        return any(x == value or (math.isnan(x) and math.isnan(value)) for x in numbers)
    return str(value) in message


def _shape_advice(got: tuple[int, ...], expected: tuple[int, ...]) -> list[Row]:
    if sorted(got) == sorted(expected):
        return [("advice", "the sizes are right but in another order: is something transposed?")]
    if [n for n in got if n != 1] == [n for n in expected if n != 1]:
        return [("advice", "they differ only in dimensions of size 1: keepdim, squeeze, unsqueeze?")]
    return []


def _report_not_finite(got: Tensor, expected: Tensor, because: str | None, what: str) -> None:
    wrong = (got.isnan() & ~expected.isnan()) | (got.isinf() & expected.isfinite())
    if not wrong.any():
        return
    at = first_index(wrong)
    raise CheckFailure(
        ("wrong", _holds_not_finite(got, what)),
        *([("where", _place(what, at))] if got.numel() > 1 else []),
        *_expected_and_got(got, expected, at),
        because=because,
    )


def _report_values(got: Tensor, expected: Tensor, wrong: Tensor, because: str | None, what: str) -> None:
    if not wrong.any():
        return
    got, expected = got.detach(), expected.detach()
    if got.is_floating_point() or got.is_complex():
        error = (got - expected).abs().nan_to_num(nan=math.inf) * wrong
        at = unravel(int(error.flatten().argmax()), tuple(got.shape))
    else:
        at = first_index(wrong)
    count = int(wrong.sum())
    differ = f": {count} of {got.numel()} values differ{'s' if count == 1 else ''}" if got.numel() > 1 else ""
    most = "where it is furthest off" if got.is_floating_point() or got.is_complex() else "the first of them"
    raise CheckFailure(
        ("wrong", f"{what} is not right{differ}"),
        *([("where", _place(what, at) + (f", {most}" if count > 1 else ""))] if got.numel() > 1 else []),
        *_expected_and_got(got, expected, at),
        *_notice(got, expected),
        because=because,
    )


def _holds_not_finite(got: Tensor, what: str) -> str:
    if got.numel() == 1:
        return f"{what} is {'NaN' if got.isnan().any() else 'infinite'}"
    return f"{what} holds {describe_not_finite(got)}, of {got.numel()} values"


def _place(what: str, at: tuple[int, ...]) -> str:
    """`weights[0, 1]`, or of what is no name: `gradient of q, at [0, 1]`."""
    index = describe_index(at)
    return f"{what}, at {index}" if index and " " in what else f"{what}{index}"


def _expected_and_got(got: Tensor, expected: Tensor, at: tuple[int, ...]) -> tuple[Row, Row]:
    """Whole where small, else the entry at fault; with as many digits as it takes to see the difference."""
    texts = describe_apart(expected, got) if got.numel() <= 2 * SMALL else ("", "")
    if got.numel() > 2 * SMALL or (got.numel() > SMALL and max(map(len, texts)) > _SHORT):
        texts = describe_apart(expected[at], got[at])
    return ("expected", texts[0]), ("got", texts[1])


def _notice(got: Tensor, expected: Tensor) -> list[Row]:
    """What the wrong values have in common, where a glance at two of them would not show it."""
    if not got.is_floating_point() or got.numel() < 2:
        return []
    got, expected = got.double(), expected.double()
    size = max(1.0, float(expected.abs().max()))
    if not (expected.isfinite().all() and got.isfinite().all() and (expected.abs() > 1e-6 * size).sum() >= 2):
        return []
    if torch.allclose(got, expected, rtol=1e-5, atol=1e-6 * size):
        return [("notice", "they agree to five digits or more: an epsilon too many, or float32 on the way?")]
    factor = float((got * expected).sum() / (expected * expected).sum())
    if abs(factor) > 1e-6 and torch.allclose(got, factor * expected, rtol=1e-6, atol=1e-9 * size):
        if math.isclose(factor, -1, rel_tol=1e-6):
            return [("notice", "every value is what was expected, with the opposite sign")]
        return [("notice", f"every value is {describe_number(factor)} times what was expected")]
    for a in range(got.ndim):
        for b in range(a):
            if got.shape[a] == got.shape[b] and torch.allclose(got.transpose(a, b), expected):
                return [("notice", f"the values are right but dimensions {b} and {a} are swapped")]
    return []
