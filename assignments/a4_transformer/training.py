"""Training: a learning rate that warms up, a loss that allows for doubt, and a language model's steps."""

import itertools

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


def noam_lr(step: int, d_model: int, warmup: int) -> float:
    """Give the learning rate of the paper: up in a straight line for `warmup` steps, then down as 1/√step.

    lr = d_model^(-1/2) · min(step^(-1/2), step · warmup^(-3/2))

    Steps count from 1; at `step = warmup` both terms are equal. A `step < 1` is a ValueError that names
    `step` and its value.

    Source: Vaswani et al. 2017, equation 3.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def label_smoothing_loss(
    logits: Float[Tensor, "*batch vocab"],
    targets: Int[Tensor, "*batch"],
    smoothing: float,
    ignore_index: int = -100,
) -> Float[Tensor, ""]:
    """Cross-entropy against a target that leaves room for doubt -> its mean, a scalar.

    A token's loss is -Σ_v q_v log p_v with p = softmax(logits), and q_v = smoothing / vocab, to which the
    target adds 1 - smoothing. The mean is over the tokens whose target is not `ignore_index`; what `logits`
    hold at the others reaches neither result nor gradient.

    The value of `F.cross_entropy` (`label_smoothing`), without calling it: stable for logits of ±1e4. With
    smoothing 0 it is plain cross-entropy.

    Traps: `smoothing` is shared out among *all* of the vocabulary, the target included. An `ignore_index` of
    -100 is no index into `logits`.

    Source: Szegedy et al. 2016, section 7.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def train_lm(
    model: nn.Module, batches: list[Int[Tensor, "batch time"]], lr: float, steps: int
) -> list[float]:
    """Train a language model in place -> the loss at every step.

    `batches` is a list of tokens, cycled: step i takes batches[i % len(batches)]. `model(tokens)` gives the
    logits of each next token; all tokens but the last are read, all but the first predicted.
    A step: the mean cross-entropy over the batch; its gradients, clipped to a global norm of 1.0;
    `torch.optim.Adam` with its defaults but for `lr`, one optimiser for the whole call, every parameter
    trained. The model trains in `train()` mode.
    Returns `steps` floats, each the loss before its step.

    Trap: a model that is fed the token that it must predict learns to copy.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
