from segments import Segments
from torch import Tensor


def scatter_sum(src: Tensor, index: Tensor, n: int) -> Tensor:
    return Segments(index, n).sum(src)


def scatter_mean(src: Tensor, index: Tensor, n: int) -> Tensor:
    return Segments(index, n).mean(src)


def edge_softmax(scores: Tensor, index: Tensor, n: int) -> Tensor:
    return Segments(index, n).softmax(scores)
