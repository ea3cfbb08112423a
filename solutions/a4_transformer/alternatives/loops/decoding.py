"""Plain Python over rows, tokens and hypotheses."""

import heapq
from dataclasses import dataclass

import torch


def kept_tokens(probs, top_k, top_p):
    """One row of probabilities as [(probability, token)], most likely first, cut off at top_k and top_p."""
    order = sorted(range(len(probs)), key=lambda token: -probs[token])
    if top_k is not None:
        order = order[:top_k]
    total = sum(probs[token] for token in order)
    kept, reached = [], 0.0
    for token in order:
        kept.append((probs[token] / total, token))
        reached += probs[token] / total
        if top_p is not None and reached >= top_p:
            break
    return kept


def at_level(kept, level):
    """Where the distribution function of `kept` passes `level` times its end."""
    level *= sum(probability for probability, _ in kept)
    for probability, token in kept:
        level -= probability
        if level < 0:
            return token
    return kept[0][1]  # rounding: the level was the very end


def sample_next(logits, temperature=1.0, top_k=None, top_p=None, generator=None):
    if temperature < 0:
        raise ValueError(f"a temperature below 0: {temperature}")
    if top_k is not None and top_k < 1:
        raise ValueError(f"a top_k below 1: {top_k}")
    if temperature == 0:
        return logits.max(-1).indices
    scaled = logits.double()
    scaled = (scaled - scaled.max(-1, keepdim=True).values) / temperature
    # one level a row: the inverse of the distribution function there is the sample
    levels = torch.rand(len(logits), dtype=torch.float64, generator=generator, device=logits.device)
    sampled = []
    for probs, level in zip(scaled.softmax(-1).tolist(), levels.tolist(), strict=True):
        kept = kept_tokens(probs, top_k, top_p)
        sampled.append(at_level(kept, level))
    return torch.tensor(sampled, device=logits.device)


def greedy_decode(step, bos, eos, max_len):
    ids = []
    while len(ids) < max_len:
        (log_probs,) = step(torch.tensor([[bos, *ids]])).tolist()
        best = max(range(len(log_probs)), key=log_probs.__getitem__)
        if best == eos:
            return ids
        ids.append(best)
    return ids


@dataclass(order=True)
class Hypothesis:
    total: float
    ids: tuple[int, ...]

    def extended(self, log_prob, token):
        return Hypothesis(self.total + log_prob, (*self.ids, token))

    def score(self, length_penalty):
        return self.total / max(len(self.ids), 1) ** length_penalty


def beam_search(step, bos, eos, max_len, beam, length_penalty=0.0):
    """A hypothesis that ends takes its slot with it: the beam is narrower in the step that follows."""
    if beam < 1:
        raise ValueError(f"the beam must hold at least one hypothesis, got beam={beam}")
    alive = [Hypothesis(0.0, ())]
    ended = []  # a heap of (-score, ids)
    for length in range(1, max_len + 1):
        prefixes = torch.tensor([[bos, *hypothesis.ids] for hypothesis in alive])
        best = []  # a heap, worst first
        for hypothesis, row in zip(alive, step(prefixes).tolist(), strict=True):
            for token, log_prob in enumerate(row):
                heapq.heappush(best, hypothesis.extended(log_prob, token))
                if len(best) > beam:
                    heapq.heappop(best)
        alive = []
        for hypothesis in best:
            if hypothesis.ids[-1] == eos or length == max_len:
                heapq.heappush(ended, (-hypothesis.score(length_penalty), hypothesis.ids))
            else:
                alive.append(hypothesis)
        if not alive:
            break
    if not ended:
        return []
    _, ids = ended[0]
    return [token for token in ids if token != eos]
