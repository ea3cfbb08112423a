"""Cases for the checks of models.py: what a check is run on, drawn by Hypothesis.

The functions say what several checks expect of a model; mask_tokens has its own cases, in masking_cases.py.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import (
    CheckFailure,
    assert_like,
    expect_no_nan,
    expect_value_error,
    fill_parameters,
    note,
)
from autograder.checks.strategies import masks, seeds, sizes, token_ids

# Weights of this size leave attention soft: every token that is attended to shows in the logits.
SCALE = 0.5
# What a token adds to logits that see it, at least; rounding adds 1e-14.
SEEN = 1e-12


@dataclass(frozen=True, eq=False)
class TransformerCase:
    """A small encoder-decoder and a batch for it. No other size of the model is `src_vocab`."""

    src_vocab: int
    tgt_vocab: int
    d_model: int
    n_heads: int
    d_ff: int
    n_layers: int
    max_len: int
    pad: int
    seed: int = field(repr=False)
    """Of the weights."""
    src: Tensor
    tgt_in: Tensor
    at: int
    """One of the steps of the target."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """The arguments of Transformer; without pad where that is 0."""
        given = self.src_vocab, self.tgt_vocab, self.d_model, self.n_heads, self.d_ff, self.n_layers
        return (*given, self.max_len, self.pad) if self.pad else (*given, self.max_len)

    def model(self, student: Any) -> nn.Module:
        """The student's Transformer with weights from the seed, in float64."""
        model = student.Transformer(*self.sizes).double()
        fill_parameters(model, self.seed, SCALE)
        return model

    @cached_property
    def real(self) -> Tensor:
        """Which source positions are real, (batch, src_time)."""
        return self.src != self.pad

    def expect_logits(self, got: Any) -> Tensor:
        like = torch.empty(*self.tgt_in.shape, self.tgt_vocab, dtype=torch.float64)
        return expect_logits(got, like, "batch tgt_time tgt_vocab")


@st.composite
def transformer_cases(
    draw: DrawFn, min_steps: int = 1, lively: bool = True, n_layers: int | None = None, padded: bool = True
) -> TransformerCase:
    """Pads stand anywhere in the source, and a row has a real token at least; the target has none.

    `lively` models are wide enough that a token which is seen shows. Heads are of even size: rotary
    positions turn pairs.
    """
    src_vocab, tgt_vocab = draw(st.sampled_from(((13, 7), (19, 9), (11, 23))))
    n_heads = draw(st.sampled_from((1, 2)))
    d_model = 8 if lively else n_heads * draw(st.sampled_from((2, 4)))
    d_ff = draw(st.sampled_from((6, 16) if lively else (1, 6)))
    batch, src_time, tgt_time = draw(sizes(3)), draw(sizes(5, min=min_steps)), draw(sizes(5, min=min_steps))
    pad = draw(st.sampled_from((0, 1, 5)))
    src = _without(pad, draw(token_ids((batch, src_time), src_vocab - 1)))
    if padded:
        src = src.masked_fill(~draw(masks(src.shape, at_least_one=1)), pad)
    return TransformerCase(
        src_vocab,
        tgt_vocab,
        d_model,
        n_heads,
        d_ff,
        draw(st.integers(1, 2)) if n_layers is None else n_layers,
        max(src_time, tgt_time) + draw(st.sampled_from((0, 3))),
        pad,
        1 + draw(seeds()),
        src,
        _without(pad, draw(token_ids((batch, tgt_time), tgt_vocab - 1))),
        draw(st.integers(0, tgt_time - 1)),
    )


def _without(pad: int, tokens: Tensor) -> Tensor:
    """Tokens of a vocabulary that is larger by one, none of them `pad`."""
    return tokens + (tokens >= pad)


@dataclass(frozen=True, eq=False)
class GPTCase:
    """A small language model and a batch for it. No other size of the model is `vocab_size` or `max_len`."""

    vocab_size: int
    d_model: int
    n_heads: int
    d_ff: int
    n_layers: int
    max_len: int
    seed: int = field(repr=False)
    """Of the weights."""
    tokens: Tensor
    at: int
    """One of the steps."""
    ends: tuple[int, ...]
    """Where the chunks end that the tokens can be read in: rising, the last at the end of the tokens."""

    @property
    def chunks(self) -> Iterator[tuple[int, int]]:
        """(start, end) of each."""
        return itertools.pairwise((0, *self.ends))

    @property
    def sizes(self) -> tuple[int, ...]:
        """The arguments of GPT."""
        return self.vocab_size, self.d_model, self.n_heads, self.d_ff, self.n_layers, self.max_len

    def model(self, student: Any) -> nn.Module:
        """The student's GPT with weights from the seed, in float64."""
        model = student.GPT(*self.sizes).double()
        fill_parameters(model, self.seed, SCALE)
        return model

    def expect_logits(self, got: Any, steps: int | None = None) -> Tensor:
        """`got` are logits of `steps` new tokens, or of all; they are noted."""
        batch, time = self.tokens.shape
        like = torch.empty(batch, time if steps is None else steps, self.vocab_size, dtype=torch.float64)
        return expect_logits(got, like, "batch time vocab_size")


@st.composite
def gpt_cases(draw: DrawFn, min_steps: int = 1, lively: bool = True, n_layers: int | None = None) -> GPTCase:
    """Chunks of any sizes, or every token alone; `lively` models show every token that is seen."""
    vocab_size, max_len = draw(st.sampled_from((11, 13))), draw(st.sampled_from((5, 7)))
    n_heads = draw(st.sampled_from((1, 2, 4)))
    d_model = 8 if lively else n_heads * draw(sizes(2))
    d_ff = draw(st.sampled_from((6, 16) if lively else (1, 6)))
    batch, steps = draw(sizes(3)), draw(sizes(max_len, min=min_steps))
    depth = draw(st.integers(1, 2)) if n_layers is None else n_layers
    inner = set(range(1, steps))
    ends = inner if draw(st.booleans()) else {end for end in inner if draw(st.booleans())}
    return GPTCase(
        vocab_size,
        d_model,
        n_heads,
        d_ff,
        depth,
        max_len,
        1 + draw(seeds()),
        draw(token_ids((batch, steps), vocab_size)),
        draw(st.integers(0, steps - 1)),
        (*sorted(ends), steps),
    )


@st.composite
def targets(draw: DrawFn) -> Tensor:
    """What shift_right is run on."""
    return draw(token_ids((draw(sizes()), draw(sizes())), 9))


def expect_logits(got: Any, like: Tensor, dims: str) -> Tensor:
    """`got` is like `like` and without NaN; it is noted."""
    logits = expect_no_nan(assert_like(got, like, what="logits", dims=dims), what="logits")
    note(logits, "logits")
    return logits


def expect_no_probabilities(logits: Tensor) -> None:
    if (logits >= 0).all() and ((logits.sum(-1) - 1).abs() < 1e-9).all():
        raise CheckFailure(
            ("wrong", "at every step the logits are positive and sum to 1"),
            ("expected", "scores, whatever their sum"),
            because="they are logits: the cross-entropy takes the softmax itself",
        )


def expect_seen(after: Tensor, before: Tensor, rows: Tensor, *, changed: str, because: str) -> None:
    """The logits of every step in each of `rows` are other ones."""
    moved = (after - before).detach().abs().amax(-1) > SEEN
    for row, step in (rows[:, None] & ~moved).nonzero().tolist():
        raise CheckFailure(
            ("changed", changed),
            ("expected", f"other logits at step {step} of row {row}"),
            ("got", "the same"),
            because=because,
        )


def tables(model: nn.Module, size: int) -> list[tuple[nn.Parameter, int]]:
    """The parameters of two dimensions or more of which one has this size, and which one it is."""
    return [
        (parameter, dim)
        for parameter in model.parameters()
        if parameter.ndim >= 2
        for dim in range(parameter.ndim)
        if parameter.shape[dim] == size
    ]


def other_ids(tokens: Tensor, step: int, vocab: int, avoid: int = -1) -> Tensor:
    """The tokens, with others at `step`, none of which is `avoid`."""
    following = (tokens[:, step] + 1) % vocab
    other = tokens.clone()
    other[:, step] = torch.where(following == avoid, (following + 1) % vocab, following)
    return other


def expect_layers(make: Callable[[int], nn.Module], per_layer: int, others: int, because: str) -> None:
    """`make(n_layers)` gives n_layers layers, each with `per_layer` weights of its own in matrices, or more.

    All that is no layer has `others` parameters at most, not counting half a layer for what is free.
    """
    one, two, three = (sum(p.numel() for p in make(n).parameters()) for n in (1, 2, 3))
    note([one, two, three], "the number of parameters")
    if two - one < per_layer or three - two != two - one:
        raise CheckFailure(
            ("expected", f"{per_layer} parameters more, at least, with each layer more"),
            ("got", f"{one}, {two} and {three} parameters with n_layers 1, 2 and 3"),
            because=because,
        )
    if one - (two - one) > others + per_layer // 2:
        raise CheckFailure(
            ("expected", f"about {others} parameters besides the layers, and {two - one} a layer"),
            ("got", f"{one} parameters with n_layers=1"),
            because="there are n_layers layers",
        )


def expect_too_long(call: Callable[[], Any], total: int, max_len: int) -> None:
    """`call` raises a ValueError that tells of how many tokens, or names max_len."""
    try:
        expect_value_error(call, [], total)
    except CheckFailure:
        expect_value_error(call, "max_len", max_len)
