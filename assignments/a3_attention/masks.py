"""Masks: who may look at what. Everywhere in this course True means *keep*."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(lengths: Int[Tensor, "batch"], max_len: int) -> Bool[Tensor, "batch max_len"]:
    """Mark the real tokens of a padded batch.

    mask[b, t] is True where t < lengths[b]: a row of length 2 in a batch of width 4 gives
    [True, True, False, False].

    The mask is on the device of `lengths`.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def causal_mask(size: int) -> Bool[Tensor, "size size"]:
    """Let every position see itself and its past, but not its future.

    mask[i, j] is True where j <= i: row i is a query, column j a key. Position 0 sees only itself.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
