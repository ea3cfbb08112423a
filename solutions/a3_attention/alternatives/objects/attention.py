"""Attention mechanisms as small objects: a scorer says how well a key fits, a Reader does the rest."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class MaskedSoftmax:
    """exp(s - logsumexp(s)) over the kept entries."""

    def __init__(self, dim=-1):
        self.dim = dim

    def __call__(self, scores, mask=None):
        if mask is None:
            return self.normalise(scores)
        mask = torch.broadcast_to(mask, scores.shape)
        minus_inf = torch.full_like(scores, -math.inf)
        zero = torch.zeros_like(scores)
        logits = torch.where(mask, scores, minus_inf)
        # A slice without a kept entry would be -inf - (-inf); any finite value will do instead.
        logits = torch.where(mask.any(self.dim, keepdim=True), logits, zero)
        return torch.where(mask, self.normalise(logits), zero)

    def normalise(self, logits):
        # around 1e4 a float32 has only three decimals left, so move the largest to 0 first
        logits = logits - logits.detach().amax(self.dim, keepdim=True)
        return torch.exp(logits - torch.logsumexp(logits, self.dim, keepdim=True))


class Scorer(ABC):
    @abstractmethod
    def score(self, query: Tensor, keys: Tensor) -> Tensor:
        """(..., Dq), (..., T, Dk) -> (..., T)"""


class DotScorer(Scorer):
    def __init__(self, scale=1.0):
        self.scale = scale

    def score(self, query, keys):
        return torch.matmul(keys, query.unsqueeze(-1)).squeeze(-1) * self.scale


@dataclass
class GeneralScorer(Scorer):
    w: Tensor

    def score(self, query, keys):
        return DotScorer().score(query @ self.w, keys)


@dataclass
class ConcatScorer(Scorer):
    w: Tensor
    v: Tensor

    def score(self, query, keys):
        copies = query.unsqueeze(-2).expand(*keys.shape[:-1], query.shape[-1])
        pairs = torch.cat((copies, keys), dim=-1)
        return torch.tanh(pairs @ self.w.t()) @ self.v


@dataclass
class AdditiveScorer(Scorer):
    w_q: Tensor
    w_k: Tensor
    v: Tensor

    def score(self, query, keys):
        asked = (query @ self.w_q.t()).unsqueeze(-2)
        return torch.tanh(asked + keys @ self.w_k.t()) @ self.v


class Reader:
    """One query per batch entry reads a memory."""

    def __init__(self, scorer):
        self.scorer = scorer
        self.softmax = MaskedSoftmax()

    def rescale(self, weights):
        return weights

    def read(self, query, keys, values, mask=None):
        if mask is not None:
            mask = torch.broadcast_to(mask, torch.broadcast_shapes(mask.shape, keys.shape[:-1]))
            # 0 * nan is nan: what is masked has to be gone before the products, not after
            keys = torch.where(mask.unsqueeze(-1), keys, keys.new_zeros(()))
            values = torch.where(mask.unsqueeze(-1), values, values.new_zeros(()))
        weights = self.rescale(self.softmax(self.scorer.score(query, keys), mask))
        return (weights.unsqueeze(-2) @ values).squeeze(-2), weights


class LocalReader(Reader):
    def __init__(self, offsets, window):
        super().__init__(DotScorer())
        self.offsets = offsets
        self.sigma = window / 2

    def rescale(self, weights):
        gauss = torch.exp(-0.5 * (self.offsets / self.sigma) ** 2)
        return weights * gauss.to(weights.dtype)


def masked_softmax(scores, mask=None, dim=-1):
    return MaskedSoftmax(dim)(scores, mask)


def scaled_dot_product_attention(q, k, v, mask=None):
    reader = Reader(DotScorer(scale=1 / math.sqrt(q.shape[-1])))
    batch = torch.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    q = q.expand(*batch, *q.shape[-2:])
    k = k.expand(*batch, *k.shape[-2:])
    v = v.expand(*batch, *v.shape[-2:])
    if mask is not None:
        mask = mask.expand(*batch, q.shape[-2], k.shape[-2])
    # one query position after the other, because each may see other keys
    outputs, weights = [], []
    for i in range(q.shape[-2]):
        keep = None if mask is None else mask[..., i, :]
        output, row = reader.read(q[..., i, :], k, v, keep)
        outputs.append(output)
        weights.append(row)
    return torch.stack(outputs, dim=-2), torch.stack(weights, dim=-2)


def additive_attention(query, keys, w_q, w_k, v, mask=None):
    return Reader(AdditiveScorer(w_q, w_k, v)).read(query, keys, keys, mask)


def luong_scores(query, keys, kind, w=None, v=None):
    scorers = {
        "dot": lambda: DotScorer(),
        "general": lambda: GeneralScorer(w),
        "concat": lambda: ConcatScorer(w, v),
    }
    needed = {"dot": {}, "general": {"w": w}, "concat": {"w": w, "v": v}}
    if kind not in scorers:
        raise ValueError(f"kind={kind!r} is not one of {sorted(scorers)}")
    for name, tensor in needed[kind].items():
        if tensor is None:
            raise ValueError(f"{name}=None, but kind={kind!r} needs it")
    return scorers[kind]().score(query, keys)


def local_attention(query, keys, centre, window, mask=None):
    if not window > 0:
        raise ValueError(f"window={window!r}: must be above zero")
    dtype = torch.promote_types(torch.promote_types(centre.dtype, query.dtype), torch.float32)
    steps = torch.arange(keys.shape[1], device=keys.device, dtype=dtype)
    offsets = steps.unsqueeze(0) - centre.to(dtype).unsqueeze(1)
    near = offsets.abs() <= window
    if mask is not None:
        near = near.logical_and(mask)
    return LocalReader(offsets, window).read(query, keys, keys, near)


class Sampler:
    """Draws by inverting the cumulative distribution."""

    def __init__(self, generator):
        self.generator = generator

    def draw(self, weights):
        wide = weights.detach().to(torch.float64)
        cumulative = wide.cumsum(dim=1)
        u = torch.rand(
            (weights.shape[0], 1), generator=self.generator, device=weights.device, dtype=torch.float64
        )
        index = torch.searchsorted(cumulative, u * cumulative[:, -1:], right=True)
        # rounding must not push a draw past the last key that has any weight
        last = torch.where(wide > 0, torch.arange(wide.shape[1], device=wide.device), 0).amax(1, keepdim=True)
        return torch.minimum(index, last).squeeze(1)


def hard_attention(weights, values, generator):
    index = Sampler(generator).draw(weights)
    rows = torch.arange(weights.shape[0], device=weights.device)
    return values[rows, index], torch.log(weights[rows, index])
