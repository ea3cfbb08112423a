import math

import torch


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        return torch.softmax(scores, dim)
    mask = mask.expand(scores.shape)
    any_kept = mask.any(dim, keepdim=True)
    scores = torch.where(mask, scores, -math.inf)
    scores = torch.where(any_kept, scores, 0.0)  # softmax([-inf, -inf]) would be nan
    return torch.where(mask, torch.softmax(scores, dim), 0.0)


def scaled_dot_product_attention(q, k, v, mask=None):
    # a masked key must be 0 for this query, even if it is fine for the next
    outputs, all_weights = [], []
    for i in range(q.shape[-2]):
        q_i = q[..., i : i + 1, :]
        k_i, v_i, keep = k, v, None
        if mask is not None:
            keep = mask.expand(q.shape[:-1] + k.shape[-2:-1])[..., i, :]
            k_i = torch.where(keep[..., None], k, 0.0)
            v_i = torch.where(keep[..., None], v, 0.0)
            keep = keep[..., None, :]
        w = masked_softmax(q_i @ k_i.transpose(-1, -2) / math.sqrt(q.shape[-1]), keep)
        outputs.append(w @ v_i)
        all_weights.append(w)
    return torch.cat(outputs, dim=-2), torch.cat(all_weights, dim=-2)


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    B, T, _ = keys.shape
    if mask is not None:
        mask = mask.expand(B, T)
        keys = torch.where(mask[:, :, None], keys, 0.0)
    q = (query @ w_q.T)[:, None, :]  # same for every key
    k = keys @ w_k.T
    e = torch.tanh(q + k) @ v
    weights = masked_softmax(e, mask)
    context = (weights[:, :, None] * keys).sum(1)
    return context, weights


def luong_scores(query, keys, kind, w=None, v=None):
    if kind not in ["dot", "general", "concat"]:
        raise ValueError(f"kind {kind!r} not known")
    scores = []
    for t in range(keys.shape[1]):
        k = keys[:, t]
        if kind == "dot":
            scores.append((query * k).sum(-1))
        if kind == "general":
            scores.append((query * (k @ w.T)).sum(-1))
        if kind == "concat":
            scores.append(torch.tanh(torch.cat([query, k], -1) @ w.T) @ v)
    return torch.stack(scores, dim=1)


def local_attention(query, keys, centre, window, mask=None):
    if not window > 0:
        raise ValueError(f"window = {window} is not positive")
    B, T, _ = keys.shape
    # at least float32 for the distances, int centres become float too
    dtype = torch.promote_types(torch.promote_types(centre.dtype, query.dtype), torch.float32)
    delta = torch.stack([s - centre.to(dtype) for s in range(T)], dim=1)
    keep = delta.abs() <= window
    if mask is not None:
        keep = keep & mask.expand(B, T)
    keys = torch.where(keep[:, :, None], keys, 0.0)
    weights = masked_softmax(luong_scores(query, keys, "dot"), keep)
    sigma = window / 2
    weights = weights * torch.exp(-(delta**2) / (2 * sigma * sigma)).to(weights.dtype)
    return (weights[:, :, None] * keys).sum(1), weights


def hard_attention(weights, values, generator):
    with torch.no_grad():
        picked = torch.multinomial(weights, 1, generator=generator).squeeze(1)
    b = torch.arange(len(picked), device=picked.device)
    return values[b, picked], torch.log(weights[b, picked])
