"""Attention, written as the formulas are read: a loop for every index."""

import math

import torch


def softmax_of_row(row, keep):
    """Softmax of one vector over its kept entries."""
    if not keep.any():
        # zeros that still belong to the graph, so that backward() has something to go through
        return torch.where(keep, row, 0.0)
    row = torch.where(keep, row, -math.inf)
    exps = torch.exp(row - row.detach().max())
    return exps / exps.sum()


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        mask = torch.ones_like(scores, dtype=torch.bool)
    mask = mask.expand(scores.shape).movedim(dim, -1)
    moved = scores.movedim(dim, -1)
    n = moved.shape[-1]

    rows = []
    for row, keep in zip(moved.reshape(-1, n), mask.reshape(-1, n), strict=True):
        rows.append(softmax_of_row(row, keep))
    return torch.stack(rows).reshape(moved.shape).movedim(-1, dim)


def attend(query, keys, values, keep):
    """One query (d,), keys (T, d), values (T, dv), keep (T,)."""
    # this query must not even see what it may not attend to: 0 * nan is nan
    keys = torch.where(keep[:, None], keys, 0.0)
    values = torch.where(keep[:, None], values, 0.0)
    scores = []
    for key in keys:
        scores.append((query * key).sum() / math.sqrt(query.shape[0]))
    weights = softmax_of_row(torch.stack(scores), keep)
    output = torch.zeros_like(values[0])
    for weight, value in zip(weights, values, strict=True):
        output = output + weight * value
    return output, weights


def scaled_dot_product_attention(q, k, v, mask=None):
    batch = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    n_queries, d = q.shape[-2:]
    n_keys, d_v = v.shape[-2:]
    if mask is None:
        mask = torch.ones(n_queries, n_keys, dtype=torch.bool, device=q.device)

    q = q.expand(*batch, n_queries, d).reshape(-1, n_queries, d)
    k = k.expand(*batch, n_keys, d).reshape(-1, n_keys, d)
    v = v.expand(*batch, n_keys, d_v).reshape(-1, n_keys, d_v)
    mask = mask.expand(*batch, n_queries, n_keys).reshape(-1, n_queries, n_keys)

    outputs, weights = [], []
    for b in range(q.shape[0]):
        for i in range(n_queries):
            output, weight = attend(q[b, i], k[b], v[b], mask[b, i])
            outputs.append(output)
            weights.append(weight)
    outputs = torch.stack(outputs).reshape(*batch, n_queries, d_v)
    weights = torch.stack(weights).reshape(*batch, n_queries, n_keys)
    return outputs, weights


def weighted_sum(weights, vectors):
    """(T,), (T, D) -> (D,)"""
    total = torch.zeros_like(vectors[0])
    for weight, vector in zip(weights, vectors, strict=True):
        total = total + weight * vector
    return total


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    B, T, _ = keys.shape
    if mask is None:
        mask = torch.ones(B, T, dtype=torch.bool, device=keys.device)
    mask = mask.expand(B, T)

    contexts, weights = [], []
    for b in range(B):
        kept_keys = torch.where(mask[b][:, None], keys[b], 0.0)
        energies = []
        for t in range(T):
            energies.append(v @ torch.tanh(w_q @ query[b] + w_k @ kept_keys[t]))
        alpha = softmax_of_row(torch.stack(energies), mask[b])
        contexts.append(weighted_sum(alpha, kept_keys))
        weights.append(alpha)
    return torch.stack(contexts), torch.stack(weights)


def luong_scores(query, keys, kind, w=None, v=None):
    if kind not in ("dot", "general", "concat"):
        raise ValueError(f"kind must be 'dot', 'general' or 'concat', not {kind!r}")
    if kind != "dot" and w is None:
        raise ValueError(f"kind {kind!r} needs w, got w=None")
    if kind == "concat" and v is None:
        raise ValueError(f"kind {kind!r} needs v, got v=None")

    rows = []
    for b in range(keys.shape[0]):
        row = []
        for t in range(keys.shape[1]):
            q, k = query[b], keys[b, t]
            if kind == "dot":
                row.append(torch.dot(q, k))
            elif kind == "general":
                row.append(torch.dot(q, w @ k))
            else:
                row.append(torch.dot(v, torch.tanh(w @ torch.cat([q, k]))))
        rows.append(torch.stack(row))
    return torch.stack(rows)


def local_attention(query, keys, centre, window, mask=None):
    if window <= 0:
        raise ValueError(f"window must be positive, got window={window}")
    B, T, _ = keys.shape
    if mask is None:
        mask = torch.ones(B, T, dtype=torch.bool, device=keys.device)
    mask = mask.expand(B, T)
    # float32 at least: bfloat16 cannot count beyond 256
    wide = torch.promote_types(torch.promote_types(centre.dtype, query.dtype), torch.float32)
    sigma = window / 2

    contexts, weights = [], []
    for b in range(B):
        distances = torch.stack([s - centre[b].to(wide) for s in range(T)])
        keep = mask[b] & (distances.abs() <= window)
        kept_keys = torch.where(keep[:, None], keys[b], 0.0)
        scores = torch.stack([torch.dot(query[b], key) for key in kept_keys])
        alpha = softmax_of_row(scores, keep)
        alpha = alpha * torch.exp(-(distances**2) / (2 * sigma**2)).to(query.dtype)
        contexts.append(weighted_sum(alpha, kept_keys))
        weights.append(alpha)
    return torch.stack(contexts), torch.stack(weights)


def hard_attention(weights, values, generator):
    contexts, log_probs = [], []
    for row, vectors in zip(weights, values, strict=True):
        s = torch.multinomial(row.detach(), 1, generator=generator).item()
        contexts.append(vectors[s])
        log_probs.append(torch.log(row[s]))
    return torch.stack(contexts), torch.stack(log_probs)
