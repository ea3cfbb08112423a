"""Cases for the checks of mask_tokens, and what tokens that are drawn independently look like."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor

from autograder.checks import CheckFailure, assert_like, expect_outputs, note
from autograder.checks.strategies import permutations, seeds, sizes, token_ids


@dataclass(frozen=True, eq=False)
class MaskingCase:
    tokens: Tensor
    mask_id: int
    vocab_size: int
    special_ids: tuple[int, ...]
    p: float
    seed: int

    @cached_property
    def special(self) -> Tensor:
        """Where a special id stands."""
        return torch.tensor([[int(t) in self.special_ids for t in row] for row in self.tokens])

    def arguments(self, tokens: Tensor | None = None) -> tuple[Any, ...]:
        """Those of mask_tokens before the generator."""
        tokens = self.tokens.clone() if tokens is None else tokens
        return tokens, self.mask_id, self.vocab_size, list(self.special_ids), self.p

    def expect_masked(self, got: Any) -> tuple[Tensor, Tensor]:
        """`got` is (inputs, labels) that go together and with the tokens; both are noted."""
        inputs, labels = expect_outputs(got, ("inputs", "labels"))
        for name, x in (("inputs", inputs), ("labels", labels)):
            note(assert_like(x, self.tokens, what=name, dims="batch time"), name)
        chosen = labels != -100
        wrong = {
            "labels are neither -100 nor the token": chosen & (labels != self.tokens),
            "a special token is chosen": chosen & self.special,
            "a token is changed that is not chosen": ~chosen & (inputs != self.tokens),
            "inputs hold an id that the vocabulary has not": (inputs < 0) | (inputs >= self.vocab_size),
        }
        for what, where in wrong.items():
            for row, step in where.nonzero().tolist():
                raise CheckFailure(
                    ("wrong", what),
                    ("where", f"[{row}, {step}], whose token is {int(self.tokens[row, step])}"),
                    ("got", f"inputs {int(inputs[row, step])}, labels {int(labels[row, step])}"),
                    because="what is chosen shows in labels, and only that is changed in inputs",
                )
        return inputs, labels


@st.composite
def masking_cases(draw: DrawFn, ps: Sequence[float] = (0.15, 0.5, 0.9)) -> MaskingCase:
    """Small vocabularies; none, some or nearly all ids are special, and mask_id may be one of them or not."""
    vocab_size = draw(st.integers(3, 9))
    order = draw(permutations(vocab_size)).tolist()
    special = tuple(order[: draw(st.integers(0, vocab_size - 1))])
    tokens = draw(token_ids((draw(sizes(4)), draw(sizes(8))), vocab_size))
    return MaskingCase(
        tokens, draw(st.sampled_from(order)), vocab_size, special, draw(st.sampled_from(ps)), draw(seeds())
    )


def expect_coins(landed: Tensor, p: float, what: str, alpha: float) -> None:
    """`landed` (rows, columns) is as if each entry were True with probability `p`, apart from all others.

    Six exact tests, each of which fails sound code with a probability of at most `alpha`: whether too few or
    too many landed in all; and whether too few or too many rows, or columns, have one of the likeliest counts
    (those that half of them should have). Few do where a row's coins hang together, all where their number is
    fixed.
    """
    expect_binomial(int(landed.sum()), landed.numel(), p, f"tokens {what}", alpha)
    for dim, name in ((1, "rows"), (0, "columns")):
        chances = binomial(landed.shape[dim], p)
        order = chances.argsort(descending=True)
        likeliest = order[: int((chances[order].cumsum(0) < 0.5).sum()) + 1]
        common = torch.isin(landed.sum(dim), likeliest)
        first, last = int(likeliest.min()), int(likeliest.max())
        about = f"{name} with {first} to {last} of {landed.shape[dim]} tokens {what}"
        expect_binomial(int(common.sum()), len(common), float(chances[likeliest].sum()), about, alpha)


def expect_binomial(count: int, n: int, p: float, what: str, alpha: float) -> None:
    """So few or so many as `count` of `n` independent coins of probability `p` land with at least `alpha`."""
    chances = binomial(n, min(p, 1.0))
    below, above = float(chances[: count + 1].sum()), float(chances[count:].sum())
    if min(below, above) < alpha:
        raise CheckFailure(
            ("wrong", f"too {'few' if below < above else 'many'} {what}"),
            ("expected", f"about {n * p:.0f} of {n}, each with probability {p:.4g}, apart from the others"),
            ("got", str(count)),
            because=f"chance is so far off in less than one case of {1 / alpha:.0e}",
        )


@cache
def binomial(n: int, p: float) -> Tensor:
    """The probabilities that 0, …, n of n independent coins land."""
    k, share = torch.arange(n + 1, dtype=torch.float64), torch.tensor(p, dtype=torch.float64)
    ways = math.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
    return (ways + torch.xlogy(k, share) + torch.special.xlog1py(n - k, -share)).exp()
