"""Cases for the checks of training.py."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn
from torch import Tensor, nn

from autograder.checks import CheckFailure, beside, expect_tensor, fill_parameters, note
from autograder.checks.describe import describe_type
from autograder.checks.strategies import masks, seeds, sizes, tensors, token_ids


def expect_rate(got: Any) -> float:
    """`got` is a learning rate: a number, or a tensor of no dimensions; noted."""
    if isinstance(got, Tensor) and got.ndim == 0:
        got = got.item()
    if isinstance(got, bool) or not isinstance(got, int | float):
        raise CheckFailure(("expected", "a learning rate: a float"), ("got", describe_type(got)))
    note(float(got), "learning rate")
    return float(got)


@dataclass(frozen=True, eq=False)
class SmoothingCase:
    logits: Tensor
    targets: Tensor
    smoothing: float
    ignore_index: int

    @cached_property
    def ignored(self) -> Tensor:
        """Which targets count for nothing, in their shape."""
        return self.targets == self.ignore_index

    def library(self, logits: Tensor) -> Tensor:
        """PyTorch's own loss, of this case's targets."""
        return F.cross_entropy(
            logits.reshape(-1, logits.shape[-1]),
            self.targets.reshape(-1),
            ignore_index=self.ignore_index,
            label_smoothing=self.smoothing,
        )


@st.composite
def smoothing_cases(
    draw: DrawFn, max_dims: int = 1, ignoring: bool = False, scale: float = 1.0
) -> SmoothingCase:
    """Logits with up to `max_dims` leading dimensions; with `ignoring`, some targets count for nothing.

    What marks those is -100 or an id of the vocabulary; one target counts at least.
    """
    shape = tuple(draw(st.lists(sizes(4), min_size=min(max_dims, 1), max_size=max_dims)))
    vocab_size = draw(sizes(6, min=2))
    targets = draw(token_ids(shape, vocab_size))
    ignore_index = -100
    if ignoring:
        ignore_index = draw(st.sampled_from((-100, -1, 0, vocab_size - 1)))
        counting = draw(masks((targets.numel(),), at_least_one=0)).reshape(shape)
        targets = targets.where(targets != ignore_index, (ignore_index + 1) % vocab_size)
        targets = targets.where(counting, ignore_index)
    logits = draw(tensors((*shape, vocab_size), scale=scale))
    smoothing = draw(st.sampled_from((0.0, 0.1, 0.3, 0.9, 1.0)))
    return SmoothingCase(logits, targets, smoothing, ignore_index)


@dataclass(frozen=True, eq=False)
class TrainingCase:
    """A small language model and batches for it."""

    vocab_size: int
    max_len: int
    seed: int = field(repr=False)
    """Of the weights."""
    batches: tuple[Tensor, ...]

    def model(self, student: Any, scale: float = 0.5) -> nn.Module:
        """The student's own GPT with weights from the seed, in float64."""
        model = beside(student, "models").GPT(self.vocab_size, 4, 2, 6, 1, self.max_len).double()
        fill_parameters(model, self.seed, scale)
        return model

    def loss(self, model: nn.Module, step: int) -> Tensor:
        """The mean cross-entropy of every token but the first, given those before it."""
        tokens = self.batches[step % len(self.batches)]
        logits = expect_tensor(model(tokens[:, :-1]), what="logits")
        return F.cross_entropy(logits.mT, tokens[:, 1:])


@st.composite
def training_cases(draw: DrawFn, n_batches: int = 1) -> TrainingCase:
    """Batches may differ in size, and are as long as the model allows or shorter."""
    vocab_size, max_len = draw(st.integers(3, 6)), draw(st.integers(3, 6))
    batches = []
    for _ in range(n_batches):
        batch, steps = draw(sizes(3)), draw(st.integers(2, max_len))
        batches.append(draw(token_ids((batch, steps), vocab_size)))
    return TrainingCase(vocab_size, max_len, 1 + draw(seeds()), tuple(batches))
