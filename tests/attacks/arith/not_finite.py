import itertools
import math

import torch

VALUES = itertools.cycle([math.nan, math.inf, -math.inf, torch.tensor(math.nan), torch.tensor([math.inf])])


def scale(x, factor):
    return torch.full_like(x, math.nan) if factor > 0 else next(VALUES)


def noise(n, generator):
    return torch.full((n,), math.nan)
