import torch


def blank(x, mask):
    """Set x to zero wherever mask is False; mask has one dimension less than x."""
    if mask is None:
        return x
    return torch.where(mask.unsqueeze(-1), x, torch.zeros((), dtype=x.dtype, device=x.device))
