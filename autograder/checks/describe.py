"""Values and cases in words and figures that a person can read."""

import dataclasses
from collections.abc import Collection, Iterator, Mapping
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

SMALL = 8  # elements: what a person takes in at a glance, and can work through by hand
DIGITS = 4
LINE = 100  # characters of a case before it goes on in the next line

# The key in a dataclass field's metadata for the names of what its tuples hold.
ITEMS = "items"


def describe_number(x: bool | int | float | complex, digits: int = DIGITS) -> str:
    """Four significant digits, and still visibly a float: 0.3333, 2.0, 1e-09, nan."""
    return repr(float(f"{x:.{digits}g}") + 0.0) if isinstance(x, float) else repr(x)  # + 0.0: no minus zero


def describe_values(x: Any, digits: int = DIGITS) -> str:
    """Every value of a tensor, as nested lists."""
    if isinstance(x, Tensor):
        x = x.detach().tolist()
    if isinstance(x, list):
        return "[" + ", ".join(describe_values(item, digits) for item in x) + "]"
    return describe_number(x, digits)


def describe_apart(one: Tensor, other: Tensor) -> tuple[str, str]:
    """The values of two tensors, with as many digits as it takes to see that they differ."""
    for digits in range(DIGITS, 18):
        texts = describe_values(one, digits), describe_values(other, digits)
        if texts[0] != texts[1]:
            break
    return texts


def describe_tensor(x: Tensor) -> str:
    """A small tensor by value, another as `float64 (2, 3, 4)`; what is not finite is counted and located."""
    if x.numel() <= SMALL:
        return describe_values(x)
    text = f"{describe_dtype(x.dtype)} {tuple(x.shape)}"
    odd = describe_not_finite(x)
    return f"{text} with {odd}" if odd else text


def describe_not_finite(x: Tensor) -> str:
    """`3 NaN (first at [0, 1]) and 1 inf (first at [2, 0])`, or nothing."""
    if not (x.is_floating_point() or x.is_complex()):
        return ""
    found = {"NaN": x.isnan(), "inf": x.isinf()}
    return " and ".join(
        f"{int(where.sum())} {name} (first at {describe_index(first_index(where))})"
        for name, where in found.items()
        if where.any()
    )


def describe_dtype(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def describe_index(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]" if index else ""


def describe_shape(shape: tuple[int, ...], dims: str | None = None) -> str:
    """`(2, 3)`, or with the names of its dimensions `(batch 2, queries 3)`."""
    names = dims.split() if dims else []
    if len(names) != len(shape):
        return str(tuple(shape))
    return "(" + ", ".join(f"{name} {size}" for name, size in zip(names, shape, strict=True)) + ")"


def describe_type(x: object) -> str:
    """What something is that should have been a tensor."""
    if x is None:
        return "None (is a `return` missing?)"
    if isinstance(x, Tensor):
        return f"a tensor {describe_dtype(x.dtype)} {tuple(x.shape)}"
    if isinstance(x, (bool, int, float, complex)):
        return f"the number {describe_number(x)}"
    if isinstance(x, (tuple, list)):
        inside = ", ".join(_short_type(item) for item in x[:4]) + (", …" if len(x) > 4 else "")
        return f"a {type(x).__name__} of {len(x)} ({inside})"
    if type(x).__module__ == "numpy":
        return "a NumPy array, not a tensor"
    if isinstance(x, nn.Module):
        return "a module"  # of which class is known where it lives only
    return f"a value of type {type(x).__name__}"


def _short_type(x: object) -> str:
    return f"tensor {tuple(x.shape)}" if isinstance(x, Tensor) else type(x).__name__


def first_index(where: Tensor) -> tuple[int, ...]:
    """Where a boolean tensor is first True."""
    return unravel(int(where.flatten().to(torch.uint8).argmax()), tuple(where.shape))


def unravel(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the `flat`-th element."""
    index = []
    for size in reversed(shape):
        flat, i = divmod(flat, size)
        index.append(i)
    return tuple(reversed(index))


def describe_case(
    kwargs: Mapping[str, Any], limit: int = 600, mentioned: Collection[str] | None = None
) -> str:
    """A drawn case: every field by name, tensors with their shape and, where small, their values.

    A dataclass is shown by its fields, of which only those that are `mentioned`, if that is known. Left out
    are those with `repr=False` (the seed of weights, say, with which nobody could do anything), and those
    that a property `beside_the_point` names. State dicts that the case has computed are shown, too.
    """
    parts: list[str] = []
    for name, value in kwargs.items():
        if _is_dataclass(value):
            parts += _describe_dataclass(value, mentioned, kwargs)
        else:
            parts += _describe_field(name, value)
    return _cap(_lines(parts), limit)


def _describe_dataclass(
    case: Any, mentioned: Collection[str] | None, others: Collection[str] = ()
) -> Iterator[str]:
    """`others` are drawn beside the case: a name that they have too is theirs."""
    beside = {*others, *getattr(case, "beside_the_point", ())}
    for field in dataclasses.fields(case):
        if field.repr and field.name not in beside and (mentioned is None or field.name in mentioned):
            value = getattr(case, field.name)
            if _is_dataclass(value):
                yield from _describe_dataclass(value, None)
            else:
                yield from _describe_field(field.name, value, field.metadata.get(ITEMS, ()))
    for name, value in vars(case).items():
        is_computed = isinstance(getattr(type(case), name, None), cached_property)
        if is_computed and _is_state_dict(value) and (mentioned is None or name in mentioned):
            for key, tensor in value.items():
                yield from _describe_field(key, tensor)


def _describe_field(name: str, value: Any, items: tuple[str, ...] = ()) -> list[str]:
    if isinstance(value, Tensor):
        shape = str(tuple(value.shape))
        return [f"{name} {shape} {describe_values(value)}" if value.numel() <= SMALL else f"{name} {shape}"]
    if isinstance(value, (tuple, list)) and any(isinstance(item, (Tensor, tuple, list)) for item in value):
        if len(items) == len(value) and isinstance(value[0], Tensor):
            names = [f"{name} {items[0]}", *items[1:]]
        else:
            names = [f"{name}[{i}]" for i in range(len(value))]
        return [
            part
            for each, item in zip(names, value, strict=True)
            for part in _describe_field(each, item, items)
        ]
    return [f"{name} {_cap(describe_number(value) if isinstance(value, float) else repr(value), 120)}"]


def _is_dataclass(x: Any) -> bool:
    return dataclasses.is_dataclass(x) and not isinstance(x, type)


def _is_state_dict(x: Any) -> bool:
    return isinstance(x, dict) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in x.items()
    )


def _lines(parts: list[str]) -> str:
    """The parts in lines that fit on a page, none broken in two."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= LINE:
            lines[-1] += f"  {part}"
        else:
            lines.append(part)
    return "\n".join(lines)


def _cap(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
