"""From probabilities to text: the most likely token, the most likely text, or a draw."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor


def sample_next(
    logits: Float[Tensor, "batch vocab"],
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "batch"]:
    """Draw one token a row, int64, from what is left of softmax(logits / temperature).

    First the temperature; 0 takes the most likely token. Then `top_k` keeps the k most likely tokens, all of
    them where k is larger than the vocabulary. Then `top_p` (nucleus sampling) keeps, of what is left and
    renormalised, the smallest set of most likely tokens whose probability reaches `top_p`, one at least.

    Rows are drawn independently. All randomness comes from `generator` where there is one: the same state
    gives the same draw, and the global random state is left alone.
    A negative `temperature`, a `top_k < 1` and a `top_p` outside of 0 to 1 are ValueErrors that name the
    argument and its value.

    Trap: the token with which the probability reaches `top_p` belongs to the set.

    Source: `top_k`: Fan et al. 2018; `top_p`: Holtzman et al. 2020.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def greedy_decode(
    step: Callable[[Int[Tensor, "1 time"]], Float[Tensor, "1 vocab"]], bos: int, eos: int, max_len: int
) -> list[int]:
    """Write one text: start from `bos`, take the most likely token, feed it back.

    `step(prefixes)` takes prefixes (N, t), int64, each beginning with `bos`, and gives the log-probabilities
    (N, vocab) of the token that comes next; here N is 1.
    Returns the generated ids, at most `max_len`: without `bos`, up to and without the first `eos`.
    """
    # YOUR CODE HERE
    raise NotImplementedError()


def beam_search(
    step: Callable[[Int[Tensor, "n time"]], Float[Tensor, "n vocab"]],
    bos: int,
    eos: int,
    max_len: int,
    beam: int,
    length_penalty: float = 0.0,
) -> list[int]:
    """Look for the most likely text, following the `beam` best ones at a time.

    `step(prefixes)` takes prefixes (N, t), int64, each beginning with `bos`, and gives the log-probabilities
    (N, vocab) of the token that comes next.
    A hypothesis ends at `eos`, or when `max_len` tokens are generated, `eos` counted. Each step extends every
    hypothesis that has not ended by every token, and keeps the `beam` best of all these by Σ log p. Whether
    an ended hypothesis keeps its place among the `beam` is free.
    Returns the ids, up to and without `eos`, of the ended hypothesis with the best score:

        score = Σ log p / length^length_penalty      over the generated tokens, `eos` counted in both

    so 0 is the plain sum, which favours short texts, and 1 the mean. A beam as wide as the search space finds
    the best text there is. A `beam < 1` is a ValueError that names `beam` and its value.

    Traps: the best first token need not begin the best text. The best hypothesis of the last step may score
    worse than one that ended long before.

    Source: Graves 2012; length penalty: Wu et al. 2016, in a simpler form.
    """
    # YOUR CODE HERE
    raise NotImplementedError()
