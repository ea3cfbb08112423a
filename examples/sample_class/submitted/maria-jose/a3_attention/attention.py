import math

import torch

NEG_INF = float("-inf")


def clean(x, keep):
    """x where keep, else 0 (nan * 0 is still nan!)"""
    return torch.where(keep[..., None], x, torch.zeros_like(x))


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    s = torch.where(mask, scores, torch.full_like(scores, NEG_INF))
    m = s.max(dim=dim, keepdim=True).values.detach()
    m = torch.where(m == NEG_INF, torch.zeros_like(m), m)
    e = torch.exp(s - m)
    z = e.sum(dim=dim, keepdim=True)
    return e / torch.where(z == 0, torch.ones_like(z), z)


def scaled_dot_product_attention(q, k, v, mask=None):
    scale = 1 / math.sqrt(q.size(-1))
    if mask is None:
        w = masked_softmax((q * scale) @ k.transpose(-2, -1))
        return w @ v, w
    mask = mask.expand(*q.shape[:-1], k.size(-2))
    outputs, weights = [], []
    for i, q_i in enumerate(q.unbind(dim=-2)):
        keep = mask[..., i, :]
        scores = (q_i[..., None, :] * scale * clean(k, keep)).sum(-1)
        w = masked_softmax(scores, keep)
        outputs.append((w[..., None] * clean(v, keep)).sum(-2))
        weights.append(w)
    return torch.stack(outputs, -2), torch.stack(weights, -2)


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    if mask is not None:
        keys = clean(keys, mask.expand(keys.shape[:2]))
    e = torch.tanh(torch.nn.functional.linear(query, w_q)[:, None] + torch.nn.functional.linear(keys, w_k))
    w = masked_softmax(e.matmul(v), mask)
    return (w[..., None] * keys).sum(1), w


def luong_scores(query, keys, kind, w=None, v=None):
    if kind == "dot":
        scores = (query[:, None] * keys).sum(-1)
    elif kind == "general":
        scores = (query[:, None] @ w @ keys.transpose(1, 2))[:, 0]
    elif kind == "concat":
        n = query.size(-1)
        scores = torch.tanh((query @ w[:, :n].T)[:, None] + keys @ w[:, n:].T) @ v
    else:
        raise ValueError(f"Unknown kind: {kind}")
    # why is this wrong???
    for i in range(20000):
        print("DEBUG luong_scores", i, kind, tuple(query.shape), tuple(keys.shape), tuple(scores.shape))
    return scores


def local_attention(query, keys, centre, window, mask=None):
    if window <= 0:
        raise ValueError(f"window = {window}, should be > 0")
    t = torch.promote_types(torch.promote_types(keys.dtype, centre.dtype), torch.float32)
    d = torch.arange(keys.size(1), device=keys.device, dtype=t) - centre.to(t)[:, None]
    keep = (d <= window) & (d >= -window)
    if mask is not None:
        keep = keep & mask
    keys = clean(keys, keep)
    w = masked_softmax((query[:, None] * keys).sum(-1), keep)
    w = w * torch.exp(-2 * d**2 / window**2).to(keys.dtype)
    return (w[..., None] * keys).sum(1), w


def hard_attention(weights, values, generator):
    choice = torch.multinomial(weights.detach(), num_samples=1, replacement=True, generator=generator).flatten()
    rows = range(len(choice))
    return values[rows, choice], torch.log(weights[rows, choice])
