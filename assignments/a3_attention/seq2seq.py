"""Sequence to sequence: a recurrent encoder, a recurrent decoder, and attention between them."""

import itertools

import torch
import torch.nn.functional as F
from attention import masked_softmax
from jaxtyping import Float, Int
from masks import padding_mask
from torch import Tensor, nn


class Seq2Seq(nn.Module):
    """Translate a sequence of ids into another, looking back at every source position at every step.

    The encoder turns the source into one state a position, the decoder reads the target so far and attends
    to those states additively: e_j = v · tanh(w_q s_t + w_k h_j). Which state of the decoder asks (the new
    one, or Bahdanau's previous one) is free, and so are the parameters' names, the kind of recurrent layer
    (`nn.GRU` and `nn.LSTM` are allowed here), one direction or two, and methods besides `forward`.

    Source: Bahdanau et al. 2015.
    """

    def __init__(
        self, src_vocab: int, tgt_vocab: int, embed_size: int, hidden_size: int, pad: int = 0
    ) -> None:
        """`src_vocab` and `tgt_vocab` count the ids on either side, `pad` is the id that fills up rows."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def encode(
        self, src: Int[Tensor, "batch src_time"], src_lengths: Int[Tensor, "batch"]
    ) -> tuple[Float[Tensor, "batch src_time hidden"], Float[Tensor, "1 batch hidden"]]:
        """A suggestion: read the source -> (a state a position, the state the decoder starts from).

        Trap: the last column is the last real token only in the longest row.
        """
        # YOUR CODE HERE
        raise NotImplementedError()

    def decode(
        self,
        tgt_in: Int[Tensor, "batch tgt_time"],
        state: Float[Tensor, "1 batch hidden"],
        memory: Float[Tensor, "batch src_time hidden"],
        src_lengths: Int[Tensor, "batch"],
    ) -> tuple[
        Float[Tensor, "batch tgt_time tgt_vocab"],
        Float[Tensor, "batch tgt_time src_time"],
        Float[Tensor, "1 batch hidden"],
    ]:
        """A suggestion: go on from `state` by `tgt_time` tokens -> (logits, weights, the state after them).

        Training feeds a whole target at once, decoding one token at a time; both can be this method.
        """
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        src: Int[Tensor, "batch src_time"],
        src_lengths: Int[Tensor, "batch"],
        tgt_in: Int[Tensor, "batch tgt_time"],
    ) -> tuple[Float[Tensor, "batch tgt_time tgt_vocab"], Float[Tensor, "batch tgt_time src_time"]]:
        """Predict each next target token from the source and the target so far -> (logits, weights).

        `tgt_in` begins with bos; `logits[:, t]` scores the token that follows `tgt_in[:, t]`, and depends on
        `tgt_in[:, :t + 1]` only. `weights[b, t]` are the attention weights behind `logits[b, t]`: they sum to
        1 over the real source positions and are exactly 0 on padding.
        Source padding (positions from `src_lengths[b]` on), whatever ids stand there and however much of it
        there is, never changes a row, nor do the other rows of the batch.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def greedy_decode(
    model: Seq2Seq,
    src: Int[Tensor, "batch src_time"],
    src_lengths: Int[Tensor, "batch"],
    bos: int,
    eos: int,
    max_len: int,
) -> list[list[int]]:
    """Write a target for every row: start from bos, take the most likely token, feed it back.

    Returns one list of ids a row: what was generated up to and without the first `eos`, at most `max_len`
    tokens; `bos` is not part of it. Each row ends on its own: it is the same list alone or in a batch.
    No gradient is needed. It may call any method of your own `Seq2Seq`. It leaves the model's parameters and
    its mode as they were.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def train_seq2seq(
    model: Seq2Seq,
    batches: list[tuple[Int[Tensor, "batch src_time"], Int[Tensor, "batch"], Int[Tensor, "batch tgt_time"]]],
    lr: float,
    steps: int,
) -> list[float]:
    """Train `model` in place with teacher forcing -> the loss at every step.

    `batches` is a list of (src, src_lengths, tgt), cycled: step i takes batches[i % len(batches)]. A row of
    `tgt` runs from bos to eos and is then filled up with the model's `pad`: the decoder is fed all but the
    last column and must predict all but the first.
    A step: cross-entropy, its mean over the real targets of the batch (eos is one, pad is none); gradients
    clipped to a global norm of 1.0; `torch.optim.Adam` with its defaults but for `lr`, one optimiser for the
    whole call, every parameter trained. The model trains in `train()` mode.
    Returns `steps` floats, each the loss before its step.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
