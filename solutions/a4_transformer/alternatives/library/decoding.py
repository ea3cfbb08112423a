from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor], Tensor]


def sample_next(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    if temperature < 0:
        raise ValueError(f"temperature must be >= 0, got {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k must be >= 1, got {top_k}")
    if top_p is not None and not 0 <= top_p <= 1:
        raise ValueError(f"top_p must lie between 0 and 1, got {top_p}")
    if temperature == 0:
        return logits.argmax(dim=-1)
    logits = logits.float() if logits.dtype != torch.float64 else logits
    # softmax does not change when every logit is shifted; a tiny temperature then cannot overflow
    logits = (logits - logits.amax(dim=-1, keepdim=True)) / temperature
    if top_k is not None:
        values, ids = logits.topk(min(top_k, logits.shape[-1]), dim=-1)
    else:
        values, ids = logits.sort(dim=-1, descending=True)
    probs = values.softmax(dim=-1)
    if top_p is not None:
        drop = probs.cumsum(dim=-1) - probs >= top_p
        drop[..., 0] = False
        probs = probs.masked_fill(drop, 0)
    picked = torch.multinomial(probs, num_samples=1, generator=generator)
    return ids.gather(-1, picked).squeeze(-1)


@torch.no_grad()
def greedy_decode(step: Step, bos: int, eos: int, max_len: int) -> list[int]:
    prefix = torch.tensor([[bos]])
    for _ in range(max_len):
        token = step(prefix)[0].argmax()
        if token == eos:
            break
        prefix = torch.cat([prefix, token.view(1, 1).to(prefix.device)], dim=1)
    return prefix[0, 1:].tolist()


@torch.no_grad()
def beam_search(
    step: Step, bos: int, eos: int, max_len: int, beam: int, length_penalty: float = 0.0
) -> list[int]:
    """All live hypotheses in one batch. One that ends leaves its slot to the next best."""
    if beam < 1:
        raise ValueError(f"beam must be >= 1, got {beam}")
    prefixes = torch.tensor([[bos]])
    scores = torch.zeros(1)
    best_ids: list[int] = []
    best_score = -float("inf")
    for length in range(1, max_len + 1):
        log_probs = step(prefixes).to(prefixes.device)
        vocab_size = log_probs.shape[-1]
        totals = (scores.unsqueeze(1) + log_probs).flatten()
        # at most one continuation of each prefix ends, so 2 * beam candidates hold `beam` that do not
        totals, flat = totals.topk(min(2 * beam, totals.numel()))
        parents, tokens = flat // vocab_size, flat % vocab_size
        candidates = torch.cat([prefixes[parents], tokens.unsqueeze(1)], dim=1)
        ended = (tokens == eos) | (length == max_len)
        for row in ended[:beam].nonzero().flatten().tolist():
            score = totals[row].item() / length**length_penalty
            if score > best_score:
                best_score = score
                best_ids = [token for token in candidates[row, 1:].tolist() if token != eos]
        prefixes, scores = candidates[~ended][:beam], totals[~ended][:beam]
        if not len(prefixes):
            break
    return best_ids
