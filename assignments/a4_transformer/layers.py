"""What a Transformer block is made of, besides attention: GELU, layer norm, and a small network a token."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


def gelu(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Let large values through, block small ones, and do it smoothly: x Φ(x).

    gelu(x) = x/2 · (1 + erf(x / √2)), where Φ is the standard normal's distribution function.

    Trap: the formula with tanh, and x · sigmoid(1.702 x), are approximations; the exact one is asked for.

    Source: Hendrycks and Gimpel 2016.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class LayerNorm(nn.Module):
    """Bring every token's features to mean 0 and variance 1, then scale and shift each feature as learned.

    y = weight · (x - mean) / √(variance + eps) + bias, mean and variance over the last dimension.

    Source: Ba, Kiros, Hinton 2016.
    """

    def __init__(self, d_model: int, eps: float = 1e-5) -> None:
        """Make `weight` (d_model,), ones at first, and `bias` (d_model,), zeros: the whole state dict."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Normalise each vector of features by itself; `*batch` is any number of leading dimensions.

        Traps: the variance is the biased one, divided by d_model and not by d_model - 1. `eps` stands under
        the root, so that features which are all equal give `bias`, not NaN.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


class FeedForward(nn.Module):
    """Think about every token by itself: a network of two layers, the same at all positions.

    y = w_2 gelu(w_1 x + b_1) + b_2, with w_1 (d_ff, d_model) and w_2 (d_model, d_ff).

    The parameters' names and initial values are free.

    Source: Vaswani et al. 2017, section 3.3, with GELU in place of ReLU.
    """

    def __init__(self, d_model: int, d_ff: int, dropout: float = 0.0) -> None:
        """`dropout` is the share that is dropped while training.

        Where it sits is free; the paper has it on the result. In `eval()` nothing is dropped.
        """
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(self, x: Float[Tensor, "*batch d_model"]) -> Float[Tensor, "*batch d_model"]:
        """Apply the network to each vector of features; no position sees another."""
        # YOUR CODE HERE
        raise NotImplementedError()
