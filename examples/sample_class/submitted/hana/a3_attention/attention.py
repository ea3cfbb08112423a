import torch


def without(x, mask):
    """Vectors that are masked become 0."""
    if mask is None:
        return x
    return x.masked_fill(~mask[..., None], 0)


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=scores.device)
    mask = mask.expand(scores.shape)
    kept = scores.masked_fill(~mask, float("-inf"))
    # where the slice is empty the maximum is -inf and would turn into nan
    biggest = kept.amax(dim=dim, keepdim=True).detach().clamp(min=torch.finfo(scores.dtype).min)
    e = torch.exp(kept - biggest)
    norm = e.sum(dim=dim, keepdim=True)
    return e / norm.masked_fill(norm == 0, 1)


def scaled_dot_product_attention(q, k, v, mask=None):
    root = q.shape[-1] ** 0.5
    if mask is None:
        weights = masked_softmax(q @ k.transpose(-2, -1) / root)
        return weights @ v, weights
    mask = mask.expand(*q.shape[:-1], k.shape[-2])
    k = without(k.unsqueeze(-3), mask)
    v = without(v.unsqueeze(-3), mask)
    weights = masked_softmax(torch.einsum("...id,...ijd->...ij", q, k) / root, mask)
    return torch.einsum("...ij,...ijd->...id", weights, v), weights


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    keys = without(keys, mask)
    hq = torch.einsum("aq,bq->ba", w_q, query)
    hk = torch.einsum("ak,btk->bta", w_k, keys)
    scores_ = torch.einsum("a,bta->bt", v, torch.tanh(hq[:, None, :] + hk))
    weights = masked_softmax(scores_, mask)
    return torch.einsum("bt,btk->bk", weights, keys), weights


def luong_scores(query, keys, kind, w=None, v=None):
    if kind not in {"dot", "general", "concat"}:
        raise ValueError("kind is " + str(kind))
    if kind == "general":
        query = query @ w
    if kind == "concat":
        copies = torch.stack([query for _ in range(keys.shape[1])], 1)
        return torch.tanh(torch.cat([copies, keys], 2) @ w.T) @ v
    return (keys @ query[:, :, None])[:, :, 0]


def local_attention(query, keys, centre, window, mask=None):
    if window <= 0:
        raise ValueError(f"window must be > 0 but is {window}")
    wide = torch.promote_types(torch.promote_types(query.dtype, centre.dtype), torch.float32)
    s = torch.arange(keys.shape[1], dtype=wide, device=keys.device)
    dist = s[None, :] - centre.to(wide)[:, None]
    near = dist.abs() <= window
    if mask is not None:
        near = torch.logical_and(near, mask)
    keys = without(keys, near)
    weights = masked_softmax(luong_scores(query, keys, "dot"), near)
    sigma = window / 2
    weights = weights * torch.exp(-(dist**2) / (2 * sigma**2)).to(query.dtype)
    return torch.einsum("bt,btd->bd", weights, keys), weights


def hard_attention(weights, values, generator):
    i = torch.multinomial(weights.detach(), 1, generator=generator)[:, 0]
    b = torch.arange(len(i), device=i.device)
    return values[b, i], weights[b, i].log()
