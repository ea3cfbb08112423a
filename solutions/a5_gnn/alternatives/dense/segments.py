"""Rows that belong to groups: `index[r]` is the group of row r, and there are `n` groups."""

import torch
from torch import Tensor


def at_least_float32(dtype: torch.dtype) -> torch.dtype:
    """bfloat16 cannot count beyond 256, so sums are taken in something wider."""
    return torch.promote_types(dtype, torch.float32) if dtype.is_floating_point else dtype


class Segments:
    def __init__(self, index: Tensor, n: int) -> None:
        self.index = index
        self.n = n

    @property
    def sizes(self) -> Tensor:
        return torch.bincount(self.index, minlength=self.n)

    def column(self, tensor: Tensor, like: Tensor) -> Tensor:
        """`tensor` (k,) with as many trailing dimensions of size 1 as `like` has."""
        return tensor.reshape(-1, *[1] * (like.ndim - 1))

    def sum(self, rows: Tensor) -> Tensor:
        out = rows.new_zeros(self.n, *rows.shape[1:], dtype=at_least_float32(rows.dtype))
        return out.index_add(0, self.index, rows.to(out.dtype)).to(rows.dtype)

    def mean(self, rows: Tensor) -> Tensor:
        wide = rows.to(at_least_float32(rows.dtype))
        sizes = self.sizes.clamp(min=1).to(wide.dtype)
        return (self.sum(wide) / self.column(sizes, rows)).to(rows.dtype)

    def max(self, rows: Tensor) -> Tensor:
        """The largest row by row; 0 for an empty group."""
        index = self.column(self.index, rows).expand_as(rows)
        out = rows.new_zeros(self.n, *rows.shape[1:])
        return out.scatter_reduce(0, index, rows, reduce="amax", include_self=False)

    def softmax(self, rows: Tensor) -> Tensor:
        wide = rows.to(at_least_float32(rows.dtype))
        top = self.max(wide.detach())
        exp = (wide - top[self.index]).exp()
        return (exp / self.sum(exp)[self.index]).to(rows.dtype)

    def rank(self) -> tuple[Tensor, Tensor]:
        """(order, rank): rows sorted by group, and each sorted row's place within its group."""
        order = torch.argsort(self.index, stable=True)
        sizes = self.sizes
        starts = sizes.cumsum(0) - sizes
        places = torch.arange(len(order), device=order.device)
        return order, places - starts[self.index[order]]
