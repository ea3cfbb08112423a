"""Values and cases in words and figures that a person can read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

SMALL = 8  # elements: what a person takes in at a glance, and can work through by hand


def describe_number(x: bool | int | float | complex) -> str:
    """Four significant digits, and still visibly a float: 0.3333, 2.0, 1e-09, nan."""
    return repr(float(f"{x:.4g}")) if isinstance(x, float) else repr(x)


def describe_values(x: Any) -> str:
    """Every value of a tensor, as nested lists."""
    if isinstance(x, Tensor):
        x = x.detach().tolist()
    if isinstance(x, list):
        return "[" + ", ".join(describe_values(item) for item in x) + "]"
    return describe_number(x)


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


def describe_case(kwargs: Mapping[str, Any], limit: int = 600) -> str:
    """A drawn case on one line: every field by name, tensors with their shape and, where small, their values.

    A dataclass is shown by its fields (what is computed from them is not part of the case).
    """
    parts: list[str] = []
    for name, value in kwargs.items():
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            parts += [
                _describe_field(f.name, getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr
            ]
        else:
            parts.append(_describe_field(name, value))
    return _cap("  ".join(parts), limit)


def _describe_field(name: str, value: Any) -> str:
    if isinstance(value, Tensor):
        shape = str(tuple(value.shape))
        return f"{name} {shape} {describe_values(value)}" if value.numel() <= SMALL else f"{name} {shape}"
    if isinstance(value, (tuple, list)) and any(isinstance(item, (Tensor, tuple, list)) for item in value):
        return "  ".join(_describe_field(f"{name}[{i}]", item) for i, item in enumerate(value))
    return f"{name} {_cap(describe_number(value) if isinstance(value, float) else repr(value), 120)}"


def _cap(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
