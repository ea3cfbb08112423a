"""What several files of this unit need."""

import torch
from torch import Tensor


def where_kept(x: Tensor, keep: Tensor | None) -> Tensor:
    """Zero whole vectors x[..., :] that are not kept; safe for NaN, forward and backward."""
    return x if keep is None else torch.where(keep[..., None], x, 0)


def contract(equation: str, *tensors: Tensor) -> Tensor:
    return torch.einsum(equation, *tensors)


def all_finite(*tensors: Tensor) -> bool:
    return all(bool(torch.isfinite(t).all()) for t in tensors)
