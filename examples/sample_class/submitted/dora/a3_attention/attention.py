import torch


def masked_softmax(scores, mask=None, dim=-1):
    if mask is None:
        return scores.softmax(dim=dim)
    mask = mask.expand_as(scores)
    masked = scores.masked_fill(~mask, float("-inf"))
    # rows with nothing to attend to: put zeros in, take the weights out again afterwards
    empty = (~mask).all(dim=dim, keepdim=True)
    weights = masked.masked_fill(empty, 0).softmax(dim=dim)
    return weights.masked_fill(~mask, 0)


def scaled_dot_product_attention(q, k, v, mask=None):
    if mask is None:
        weights = masked_softmax(torch.matmul(q, k.mT))
        return torch.matmul(weights, v), weights

    mask = torch.broadcast_to(mask, (*q.shape[:-1], k.shape[-2]))
    # (..., Tq, Tk, d): 0 * nan = nan, so the masked ones have to be overwritten for each query
    k = k.unsqueeze(-3).expand(*mask.shape, k.shape[-1]).masked_fill(~mask.unsqueeze(-1), 0)
    v = v.unsqueeze(-3).expand(*mask.shape, v.shape[-1]).masked_fill(~mask.unsqueeze(-1), 0)
    scores = torch.matmul(k, q.unsqueeze(-1)).squeeze(-1)
    weights = masked_softmax(scores, mask)
    output = torch.matmul(weights.unsqueeze(-2), v).squeeze(-2)
    return output, weights


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    if mask is not None:
        mask = mask.expand(keys.shape[0], keys.shape[1])
        keys = keys.masked_fill(~mask.unsqueeze(2), 0)
    hidden = torch.tanh((query @ w_q.T).unsqueeze(1) + keys @ w_k.T)
    weights = masked_softmax(hidden @ v, mask)
    context = torch.bmm(weights.unsqueeze(1), keys).squeeze(1)
    return context, weights


def luong_scores(query, keys, kind, w=None, v=None):
    if kind == "dot":
        return torch.bmm(keys, query.unsqueeze(2)).squeeze(2)
    elif kind == "general":
        return torch.bmm(keys, (query @ w).unsqueeze(2)).squeeze(2)
    elif kind == "concat":
        q = query.unsqueeze(1).expand(-1, keys.size(1), -1)
        return torch.tanh(torch.cat((q, keys), dim=2) @ w.T) @ v
    else:
        raise ValueError("unknown kind " + repr(kind))


def local_attention(query, keys, centre, window, mask=None):
    if window <= 0:
        raise ValueError(f"window should be positive and not {window}")
    dtype = torch.promote_types(torch.promote_types(query.dtype, centre.dtype), torch.float32)
    diff = torch.arange(keys.size(1), device=keys.device) - centre.to(dtype).unsqueeze(1)
    keep = diff.abs() <= window
    if mask is not None:
        keep = keep & mask
    keys = keys.masked_fill(~keep.unsqueeze(2), 0)
    weights = masked_softmax(luong_scores(query, keys, "dot"), keep)
    sigma = window / 2
    gauss = torch.exp(-0.5 * (diff / sigma) ** 2)
    weights = weights * gauss.to(weights.dtype)
    return torch.bmm(weights.unsqueeze(1), keys).squeeze(1), weights


def hard_attention(weights, values, generator):
    index = torch.multinomial(weights.detach(), 1, generator=generator)
    log_prob = torch.log(torch.gather(weights, 1, index)).squeeze(1)
    index = index.unsqueeze(2).expand(-1, 1, values.size(2))
    return torch.gather(values, 1, index).squeeze(1), log_prob
