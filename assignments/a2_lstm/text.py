"""Text on your own LSTM: what a review thinks, and which character comes next."""

import itertools
from collections import Counter

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from lstm import LSTM
from torch import Tensor, nn


def build_vocab(texts: list[list[str]], min_count: int = 1) -> dict[str, int]:
    """Number the tokens of `texts` -> dict token -> id.

    `<pad>` is 0 and `<unk>` is 1. Then come the tokens that occur at least `min_count` times in all texts
    together, from 2 on: the most frequent first, those of the same count in alphabetical order (`sorted`'s).

    Trap: a text may hold the words `<pad>` and `<unk>`; their ids stay 0 and 1, and no id is left out.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def collate(
    sequences: list[list[int]], pad: int = 0
) -> tuple[Int[Tensor, "batch time"], Int[Tensor, "batch"]]:
    """Make a batch of sequences of several lengths -> (tokens, lengths), both int64.

    Row b holds sequences[b], then `pad`; `time` is the longest one's length. No sequence is empty.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class SentimentClassifier(nn.Module):
    """Read a text once, then judge it: embedding, LSTM, last real state, linear layer.

    The parameters' names and initial values are free. `nn.LSTM` and `nn.LSTMCell` are forbidden here too.
    """

    def __init__(
        self, vocab_size: int, embed_size: int, hidden_size: int, n_classes: int, pad: int = 0
    ) -> None:
        """Token ids run from 0 to vocab_size - 1, `pad` is the one that fills up rows."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self, tokens: Int[Tensor, "batch time"], lengths: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch n_classes"]:
        """Score every class for every row (logits: no softmax).

        Row b's text is tokens[b, :lengths[b]]. What stands behind it, which ids and how many, never changes
        a row, nor do the other rows of the batch.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def fit(
    model: nn.Module,
    batches: list[tuple[Int[Tensor, "batch time"], Int[Tensor, "batch"], Int[Tensor, "batch"]]],
    lr: float,
    steps: int,
    max_norm: float = 1.0,
) -> list[float]:
    """Train a classifier in place -> the loss at every step.

    `batches` is a list of (tokens, lengths, labels), cycled: step i takes batches[i % len(batches)], and
    `model(tokens, lengths)` gives the logits.
    A step: the mean cross-entropy over the batch; its gradients, clipped to the global norm `max_norm`;
    `torch.optim.Adam` with its defaults but for `lr`, one optimiser for the whole call, every parameter
    trained. The model trains in `train()` mode.
    Returns `steps` floats, each the loss before its step.

    Traps: gradients add up until they are zeroed; a loss that is kept as a tensor keeps its whole graph.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


class CharLM(nn.Module):
    """Predict the next character from all before it: embedding, LSTM, linear layer.

    The parameters' names and initial values are free, and so is what `state` consists of. `nn.LSTM` and
    `nn.LSTMCell` are forbidden here too.
    """

    def __init__(self, vocab_size: int, embed_size: int, hidden_size: int) -> None:
        """Character ids run from 0 to vocab_size - 1."""
        super().__init__()
        # YOUR CODE HERE
        raise NotImplementedError()

    def forward(
        self,
        tokens: Int[Tensor, "batch time"],
        state: tuple[Float[Tensor, "1 batch hidden"], Float[Tensor, "1 batch hidden"]] | None = None,
    ) -> tuple[
        Float[Tensor, "batch time vocab_size"],
        tuple[Float[Tensor, "1 batch hidden"], Float[Tensor, "1 batch hidden"]],
    ]:
        """Score the next character after every step -> (logits, the state after the last step).

        logits[:, t] score the character that follows tokens[:, t], and depend on tokens[:, :t + 1] and
        `state` only. `state` is what an earlier call returned, and the text goes on from there; None means
        that it begins here. Read in chunks with the state carried, a text gets the logits that it gets whole.
        Whether gradient flows through a carried state is free.
        """
        # YOUR CODE HERE
        raise NotImplementedError()


def generate(
    model: CharLM,
    prompt: Int[Tensor, "time"],
    length: int,
    temperature: float,
    generator: torch.Generator,
) -> Int[Tensor, "time+length"]:
    """Go on from `prompt` by `length` characters -> the ids of prompt and continuation together.

    Each next one is drawn from softmax(logits / temperature), then read like the others. Temperature 0
    takes the most likely one instead; a negative temperature is a ValueError that names `temperature` and
    its value.

    All randomness comes from `generator`: the same state gives the same text, and the global random state
    is left alone. No gradient is needed. The model runs in `eval()` mode and is left in the mode that it was
    in; neither `prompt` nor the model's parameters change.

    Traps: carry the state, so that each step reads one character and still knows the whole text; the last
    row of logits is the one that counts.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
