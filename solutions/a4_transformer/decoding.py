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
    ### BEGIN SOLUTION
    if temperature < 0:
        raise ValueError(f"temperature must not be negative, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be at least 1, got {top_k}")
    if top_p is not None and not 0 <= top_p <= 1:
        raise ValueError(f"top_p must be between 0 and 1, got {top_p}")
    if temperature == 0:
        return logits.argmax(dim=-1)
    # The likeliest first, so that what is dropped stands at the end; bfloat16 could not add up a vocabulary.
    logits, ids = logits.double().sort(dim=-1, descending=True)
    probabilities = torch.softmax((logits - logits[:, :1]) / temperature, dim=-1)
    if top_k is not None:
        probabilities[:, top_k:] = 0
        probabilities = probabilities / probabilities.sum(dim=-1, keepdim=True)
    if top_p is not None:
        # A token is needed if the likelier ones together do not reach top_p.
        needed = probabilities.cumsum(dim=-1)[:, :-1] < top_p
        probabilities[:, 1:] = probabilities[:, 1:].where(needed, 0)
    drawn = torch.multinomial(probabilities, num_samples=1, generator=generator)
    return ids.gather(-1, drawn).squeeze(-1)
    ### END SOLUTION


def greedy_decode(
    step: Callable[[Int[Tensor, "1 time"]], Float[Tensor, "1 vocab"]], bos: int, eos: int, max_len: int
) -> list[int]:
    """Write one text: start from `bos`, take the most likely token, feed it back.

    `step(prefixes)` takes prefixes (N, t), int64, each beginning with `bos`, and gives the log-probabilities
    (N, vocab) of the token that comes next; here N is 1.
    Returns the generated ids, at most `max_len`: without `bos`, up to and without the first `eos`.
    """
    ### BEGIN SOLUTION
    tokens = [bos]
    for _ in range(max_len):
        token = int(step(torch.tensor([tokens]))[0].argmax())
        if token == eos:
            break
        tokens.append(token)
    return tokens[1:]
    ### END SOLUTION


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
    ### BEGIN SOLUTION
    if beam < 1:
        raise ValueError(f"beam must be at least 1, got {beam}")
    alive: list[tuple[float, list[int]]] = [(0.0, [bos])]  # Σ log p and tokens of what may go on
    ended: list[tuple[float, list[int]]] = []  # score and tokens of what has come to its end
    for length in range(1, max_len + 1):
        log_p = step(torch.tensor([tokens for _, tokens in alive])).double().cpu()
        totals = log_p + torch.tensor([total for total, _ in alive], dtype=log_p.dtype).unsqueeze(1)
        best = totals.flatten().topk(min(beam, totals.numel()))
        candidates = []
        for total, index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
            row, token = divmod(index, totals.shape[1])
            tokens = [*alive[row][1], token]
            if token == eos or length == max_len:
                ended.append((total / length**length_penalty, tokens))
            else:
                candidates.append((total, tokens))
        alive = candidates
        if not alive:
            break
    _, tokens = max(ended, default=(0.0, [bos]))
    return [token for token in tokens[1:] if token != eos]
    ### END SOLUTION
