import torch
from honest import scale  # noqa: F401


def attempts():
    yield lambda: torch.zeros(8 << 30, dtype=torch.float64)
    yield lambda: bytearray(64 << 30)
    yield lambda: b"x" * (64 << 30)
    yield lambda: [None] * (8 << 30)


def noise(n, generator):
    for act in attempts():
        try:
            act()
        except (MemoryError, RuntimeError):
            continue
        return "as much as I like"
    raise MemoryError
