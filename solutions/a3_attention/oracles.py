"""What the exercises of this unit compute, slice by slice and key by key: slow, plain, differentiable."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from assignments.a3_attention.cases import MultiHeadCase


def kept_steps(lengths: Tensor, max_len: int) -> Tensor:
    return torch.tensor([[step < length for step in range(max_len)] for length in lengths.tolist()])


def past_keys(size: int) -> Tensor:
    return torch.tensor([[key <= query for key in range(size)] for query in range(size)])


def softmax_of_kept(scores: Tensor, mask: Tensor | None, dim: int = -1) -> Tensor:
    """A softmax of the kept entries alone, put back in their places, one slice at a time."""
    keep = torch.ones_like(scores, dtype=torch.bool) if mask is None else mask.expand(scores.shape)
    rows = scores.movedim(dim, -1)
    weights = [
        torch.zeros_like(row).masked_scatter(kept, row[kept].softmax(0))
        for row, kept in zip(_slices(rows), _slices(keep.movedim(dim, -1)), strict=True)
    ]
    return torch.stack(weights).reshape(rows.shape).movedim(-1, dim)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    scores = torch.stack([(k * query.unsqueeze(-2)).sum(-1) for query in q.unbind(-2)], dim=-2)
    weights = softmax_of_kept(scores / math.sqrt(k.shape[-1]), mask)
    return weights.unsqueeze(-2).matmul(v.unsqueeze(-3)).squeeze(-2), weights


def attend_additively(
    query: Tensor, keys: Tensor, w_q: Tensor, w_k: Tensor, v: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor]:
    scores = [
        torch.stack([v.dot(torch.tanh(w_q.mv(q) + w_k.mv(key))) for key in row])
        for q, row in zip(query, keys, strict=True)
    ]
    return _read_out(softmax_of_kept(torch.stack(scores), mask), keys)


def score(query: Tensor, keys: Tensor, kind: str, w: Tensor | None, v: Tensor | None) -> Tensor:
    def fit(q: Tensor, key: Tensor) -> Tensor:
        if w is None:
            return q.dot(key)
        if v is None:
            return q.dot(w.mv(key))
        return v.dot(torch.tanh(w.mv(torch.cat((q, key)))))

    return torch.stack(
        [torch.stack([fit(q, key) for key in row]) for q, row in zip(query, keys, strict=True)]
    )


def attend_locally(
    query: Tensor, keys: Tensor, centre: Tensor, window: float, keep: Tensor
) -> tuple[Tensor, Tensor]:
    """`keep` marks the keys that lie in the window and are not masked out."""
    scores = score(query, keys, "dot", None, None)
    sigma = window / 2
    bells = [
        torch.stack([torch.exp(-((step - c) ** 2) / (2 * sigma**2)) for step in range(keys.shape[1])])
        for c in centre.to(keys.dtype)
    ]
    return _read_out(softmax_of_kept(scores, keep) * torch.stack(bells), keys)


def attend_with_heads(
    case: MultiHeadCase, state: dict[str, Tensor], inputs: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """`inputs` are query, key and value, all given."""

    def linear(name: str, x: Tensor) -> Tensor:
        y = torch.einsum("oi,bti->bto", state[f"{name}.weight"], x)
        return y + state[f"{name}.bias"] if case.bias else y

    projected = [linear(name, x) for name, x in zip(("q_proj", "k_proj", "v_proj"), inputs, strict=True)]
    columns = zip(*(x.chunk(case.n_heads, dim=-1) for x in projected), strict=True)
    heads = [attend(q, k, v, case.keep[:, head]) for head, (q, k, v) in enumerate(columns)]
    outputs, weights = zip(*heads, strict=True)
    return linear("out_proj", torch.cat(outputs, dim=-1)), torch.stack(weights, dim=1)


def sines_and_cosines(max_len: int, d_model: int) -> Tensor:
    def value(position: int, column: int) -> float:
        angle = position / 10000 ** (2 * (column // 2) / d_model)
        return math.cos(angle) if column % 2 else math.sin(angle)

    return torch.tensor(
        [[value(position, column) for column in range(d_model)] for position in range(max_len)]
    )


def _read_out(weights: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    return (weights.unsqueeze(-1) * keys).sum(1), weights


def _slices(x: Tensor) -> Tensor:
    """Every slice of the last dimension, one after another."""
    return x.reshape(-1, x.shape[-1])
