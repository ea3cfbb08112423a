"""Hypothesis strategies for cases: fast to draw, and shrinking to what a person can work through.

A tensor costs Hypothesis two small draws (its kind and a seed), never one an element. What a strategy
yields is part of a frozen case and used again for the next submission: never modify it.
"""

import math
from collections.abc import Sequence

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from torch import Tensor

from autograder.checks.tensors import generator

MAX_SIZE = 5  # enough for every dimension to differ from its neighbours
MAX_BITS = 12  # a mask of so many entries is drawn bit by bit, so that it shrinks entry by entry


def sizes(max: int = MAX_SIZE, min: int = 1) -> SearchStrategy[int]:
    """A dimension's size, 1 included."""
    return st.integers(min, max)


def distinct_sizes(count: int, max: int = MAX_SIZE, min: int = 1) -> SearchStrategy[tuple[int, ...]]:
    """Sizes that differ from one another, so that nothing transposed fits by luck."""
    return st.lists(st.integers(min, max), min_size=count, max_size=count, unique=True).map(tuple)


def dimensions(count: int, max: int = MAX_SIZE) -> SearchStrategy[tuple[int, ...]]:
    """Sizes of a case: as often any, equal ones and ones included, as distinct."""
    return st.tuples(*[sizes(max)] * count) | distinct_sizes(count, max)


def seeds() -> SearchStrategy[int]:
    """A seed; the body of a check makes its generator from it, by `generator(seed)`."""
    return st.integers(0, 2**16 - 1)


@st.composite
def tensors(
    draw: DrawFn, shape: Sequence[int], dtype: torch.dtype = torch.float64, scale: float = 1.0
) -> Tensor:
    """Whole numbers from -3 to 3, or normal values; times `scale`. Seed 0 is the zero tensor.

    So what does not matter to a failure shrinks to zeros, what does to small whole numbers.
    """
    normal, seed = draw(st.booleans()), draw(seeds())
    return tensor_from(seed, shape, normal=normal, dtype=dtype, scale=scale)


def tensor_from(
    seed: int,
    shape: Sequence[int],
    *,
    normal: bool = True,
    dtype: torch.dtype = torch.float64,
    scale: float = 1.0,
) -> Tensor:
    """The tensor that `tensors` makes of a seed."""
    shape = tuple(shape)
    if seed == 0:
        return torch.zeros(shape, dtype=dtype)
    if normal:
        values = torch.randn(shape, generator=generator(seed), dtype=torch.float64)
    else:
        values = torch.randint(-3, 4, shape, generator=generator(seed)).double()
    return (scale * values).to(dtype)


@st.composite
def token_ids(draw: DrawFn, shape: Sequence[int], vocab: int, min: int = 0) -> Tensor:
    """Token ids from `min` to `vocab - 1`, int64; seed 0 gives `min` everywhere."""
    seed = draw(seeds())
    if seed == 0:
        return torch.full(tuple(shape), min, dtype=torch.int64)
    return torch.randint(min, vocab, tuple(shape), generator=generator(seed))


@st.composite
def masks(draw: DrawFn, shape: Sequence[int], at_least_one: int | None = None) -> Tensor:
    """A mask, True = keep; shrinks towards keeping everything.

    `at_least_one` names a dimension along which every slice keeps something; without it, slices
    that keep nothing are common.
    """
    shape = tuple(shape)
    count = math.prod(shape)
    if count <= MAX_BITS:
        bits = draw(st.integers(0, 2**count - 1))
        keep = torch.tensor([not bits >> i & 1 for i in range(count)], dtype=torch.bool).reshape(shape)
    else:
        seed, dropped = draw(seeds()), draw(st.sampled_from((0.3, 0.6, 0.9)))
        keep = (
            torch.rand(shape, generator=generator(seed)) >= dropped
            if seed
            else torch.ones(shape, dtype=torch.bool)
        )
    if at_least_one is not None:
        keep = keep | (_rotating_index(keep, at_least_one) & ~keep.any(at_least_one, keepdim=True))
    return keep


def _rotating_index(keep: Tensor, dim: int) -> Tensor:
    """Marks one entry a slice of `dim`, not the same one in each, which could hide an indexing mistake."""
    last = keep.movedim(dim, -1)
    index = torch.arange(last[..., 0].numel()).reshape(last.shape[:-1]) % last.shape[-1]
    return torch.zeros(last.shape, dtype=torch.bool).scatter(-1, index[..., None], True).movedim(-1, dim)


def lengths(batch: int, max: int) -> SearchStrategy[Tensor]:
    """Sequence lengths `(batch,)` from 1 to `max`, int64; `max` itself need not occur."""
    return st.lists(st.integers(1, max), min_size=batch, max_size=batch).map(
        lambda values: torch.tensor(values, dtype=torch.int64)
    )


def permutations(n: int) -> SearchStrategy[Tensor]:
    """An order of `n` things, int64; shrinks towards leaving them as they are."""
    return st.permutations(range(n)).map(lambda order: torch.tensor(order, dtype=torch.int64))
