import torch


def scale(x, factor):
    """x times factor; a negative factor is a ValueError."""
    ### BEGIN SOLUTION
    if factor < 0:
        raise ValueError(f"factor must not be negative, not {factor}")
    return x * factor
    ### END SOLUTION


def noise(n, generator):
    """n normal numbers."""
    ### BEGIN SOLUTION
    return torch.randn(n, generator=generator)
    ### END SOLUTION
