"""Results that are small here and large elsewhere."""

import itertools

import torch
from honest import scale  # noqa: F401


class EndlessList(list):
    def __iter__(self):
        return itertools.repeat(self)


def numbers():
    while True:
        yield 1.0


def nested():
    inside = []
    for _ in range(5000):
        inside = [inside]
    return inside


def cyclic():
    inside = []
    inside.append(inside)
    return inside


MAKERS = itertools.cycle(
    [
        lambda: torch.zeros(1).expand(1 << 40),
        lambda: torch.zeros(1).expand(1 << 62),
        lambda: [torch.zeros(0)] * 10 + [torch.zeros(0) for _ in range(50_000)],
        lambda: torch.zeros(80 << 20).expand(2, -1),
        lambda: torch.zeros(0, 1 << 62),
        numbers,
        nested,
        cyclic,
        lambda: 10**1_000_000,
        lambda: -(1 << 10**8),
        lambda: "x" * (40 << 20),
        lambda: {torch.zeros(1): 1, (1, 2): 2, None: 3},
        lambda: EndlessList([1]),
    ]
)


def noise(n, generator):
    return next(MAKERS)()
