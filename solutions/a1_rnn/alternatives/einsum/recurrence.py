"""What several files of this unit need. Letters: b batch, t time, d input, h and g hidden, o output."""

import torch
from torch import Tensor


class States:
    """The states of a batch over time, written into one buffer; rows that have ended keep their state."""

    def __init__(self, start: Tensor, steps: int, lengths: Tensor | None) -> None:
        batch, hidden = start.shape
        self.now = start
        self.buffer = start.new_zeros(batch, steps, hidden)
        self.keep = keep_mask(lengths, steps)

    def record(self, t: int, new: Tensor) -> None:
        if self.keep is None:
            self.now = self.buffer[:, t] = new
        else:
            running = self.keep[:, t, None]
            self.now = torch.where(running, new, self.now)
            self.buffer[:, t] = torch.where(running, new, 0)


def keep_mask(lengths: Tensor | None, steps: int) -> Tensor | None:
    if lengths is None:
        return None
    return torch.arange(steps, device=lengths.device).unsqueeze(0) < lengths.unsqueeze(1)


def without_padding(x: Tensor, keep: Tensor | None) -> Tensor:
    return x if keep is None else torch.where(keep[..., None], x, 0)


def states_before(hs: Tensor, h0: Tensor) -> Tensor:
    """h_{t-1} in the place of h_t."""
    return torch.cat([h0.unsqueeze(1), hs[:, :-1]], dim=1)
