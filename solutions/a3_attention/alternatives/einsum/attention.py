"""Attention with einsum. Letters: b batch, q query, k key, d features, a attention size."""

import torch
from shared import all_finite, contract, where_kept
from torch import Tensor


def masked_softmax(scores: Tensor, mask: Tensor | None = None, dim: int = -1) -> Tensor:
    if mask is None:
        return scores.softmax(dim)
    lowest = torch.finfo(scores.dtype).min
    kept = torch.where(mask, scores, lowest)
    shifted = kept - kept.amax(dim, keepdim=True).detach()
    exp = torch.where(mask, shifted.exp(), 0)
    total = exp.sum(dim, keepdim=True)
    return exp / torch.where(total > 0, total, 1)


def scaled_dot_product_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    q = q / q.shape[-1] ** 0.5
    if mask is None or all_finite(k, v):
        weights = masked_softmax(contract("...qd,...kd->...qk", q, k), mask)
        return contract("...qk,...kd->...qd", weights, v), weights
    # A matrix product mixes masked pairs in as 0 * nan, so give every query its own clean copy
    # of the keys and values. Costs memory, but only when there is something to keep out.
    shape = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    mask = mask.expand(*shape, q.shape[-2], k.shape[-2])
    own_k = where_kept(k.unsqueeze(-3), mask)
    own_v = where_kept(v.unsqueeze(-3), mask)
    weights = masked_softmax(contract("...qd,...qkd->...qk", q, own_k), mask)
    return contract("...qk,...qkd->...qd", weights, own_v), weights


def additive_attention(
    query: Tensor, keys: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    keys = where_kept(keys, mask)
    hidden = contract("bd,ad->ba", query, w_q).unsqueeze(1) + contract("bkd,ad->bka", keys, w_k)
    weights = masked_softmax(contract("bka,a->bk", hidden.tanh(), v), mask)
    return contract("bk,bkd->bd", weights, keys), weights


def luong_scores(
    query: Tensor, keys: Tensor, kind: str, w: Tensor | None = None, v: Tensor | None = None
) -> Tensor:
    if kind == "dot":
        return contract("bd,bkd->bk", query, keys)
    if kind == "general":
        if w is None:
            raise ValueError("w must be given for kind='general', got None")
        return contract("bd,de,bke->bk", query, w, keys)
    if kind == "concat":
        if w is None or v is None:
            raise ValueError(f"w and v must be given for kind='concat', got w={w}, v={v}")
        # w [q; k] = w_left q + w_right k, so nothing has to be concatenated
        w_left, w_right = w.split([query.shape[-1], keys.shape[-1]], dim=1)
        hidden = contract("bd,ad->ba", query, w_left)[:, None] + contract("bkd,ad->bka", keys, w_right)
        return contract("bka,a->bk", hidden.tanh(), v)
    raise ValueError(f"unknown kind: {kind!r}")


def local_attention(
    query: Tensor, keys: Tensor, centre: Tensor, window: float, mask: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    if window <= 0:
        raise ValueError(f"window has to be > 0 (window={window})")
    dtype = torch.promote_types(torch.promote_types(centre.dtype, query.dtype), torch.float32)
    offset = torch.arange(keys.shape[1], device=keys.device) - centre.to(dtype).unsqueeze(1)
    keep = offset.abs() <= window
    if mask is not None:
        keep = keep & mask
    keys = where_kept(keys, keep)
    gaussian = (-2 * (offset / window).square()).exp()  # sigma = window / 2
    weights = masked_softmax(contract("bd,bkd->bk", query, keys), keep) * gaussian.to(keys.dtype)
    return contract("bk,bkd->bd", weights, keys), weights


def hard_attention(weights: Tensor, values: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    chosen = torch.multinomial(weights.detach(), 1, generator=generator)
    context = values.gather(1, chosen[..., None].expand(-1, -1, values.shape[-1]))
    return context.squeeze(1), weights.gather(1, chosen).squeeze(1).log()
