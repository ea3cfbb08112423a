import torch
from common import blank


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        mask = torch.ones((), dtype=torch.bool, device=scores.device)
    mask = mask.expand(scores.shape)
    kept = scores.masked_fill(~mask, float("-inf"))
    # where the slice is empty the maximum is -inf and would turn into nan
    top = kept.amax(dim=dim, keepdim=True).detach().clamp(min=torch.finfo(scores.dtype).min)
    e = torch.exp(kept - top)
    total = e.sum(dim=dim, keepdim=True)
    return e / total.masked_fill(total == 0, 1)


def scaled_dot_product_attention(q, k, v, mask=None):
    root = q.shape[-1] ** 0.5
    if mask is None:
        weights = masked_softmax(torch.einsum("...id,...jd->...ij", q, k) / root)
        return torch.einsum("...ij,...jd->...id", weights, v), weights
    # every query gets keys and values of its own, so that no nan can sneak in as 0 * nan
    mask = mask.expand(*q.shape[:-1], k.shape[-2])
    k = blank(k.unsqueeze(-3), mask)
    v = blank(v.unsqueeze(-3), mask)
    weights = masked_softmax(torch.einsum("...id,...ijd->...ij", q, k) / root, mask)
    return torch.einsum("...ij,...ijd->...id", weights, v), weights


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    keys = blank(keys, mask)
    from_query = torch.einsum("aq,bq->ba", w_q, query)
    from_keys = torch.einsum("ak,btk->bta", w_k, keys)
    energy = torch.einsum("a,bta->bt", v, torch.tanh(from_query[:, None, :] + from_keys))
    weights = masked_softmax(energy, mask)
    return torch.einsum("bt,btk->bk", weights, keys), weights


def luong_scores(query, keys, kind, w=None, v=None):
    match kind:
        case "dot":
            return torch.einsum("bd,btd->bt", query, keys)
        case "general":
            return torch.einsum("bi,ij,btj->bt", query, w, keys)
        case "concat":
            T = keys.shape[1]
            both = torch.cat([query[:, None, :].repeat(1, T, 1), keys], dim=2)
            return torch.einsum("a,bta->bt", v, torch.tanh(torch.einsum("ac,btc->bta", w, both)))
        case _:
            raise ValueError(f"kind: expected dot, general or concat, got {kind!r}")


def local_attention(query, keys, centre, window, mask=None):
    if window <= 0:
        raise ValueError(f"window must be > 0 but is {window}")
    wide = torch.promote_types(torch.promote_types(query.dtype, centre.dtype), torch.float32)
    s = torch.arange(keys.shape[1], dtype=wide, device=keys.device)
    distance = s[None, :] - centre.to(wide)[:, None]
    inside = distance.abs() <= window
    if mask is not None:
        inside = torch.logical_and(inside, mask)
    keys = blank(keys, inside)
    weights = masked_softmax(luong_scores(query, keys, "dot"), inside)
    sigma = window / 2
    weights = weights * torch.exp(-(distance**2) / (2 * sigma**2)).to(query.dtype)
    return torch.einsum("bt,btd->bd", weights, keys), weights


def hard_attention(weights, values, generator):
    i = torch.multinomial(weights.detach(), 1, generator=generator)[:, 0]
    b = torch.arange(len(i), device=i.device)
    return values[b, i], weights[b, i].log()
