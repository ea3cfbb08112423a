from itertools import cycle, islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def noam_lr(step: int, d_model: int, warmup: int) -> float:
    if step < 1:
        raise ValueError(f"step must be >= 1, got {step}")
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def label_smoothing_loss(
    logits: Tensor, targets: Tensor, smoothing: float, ignore_index: int = -100
) -> Tensor:
    log_probs = F.log_softmax(logits, dim=-1).reshape(-1, logits.shape[-1])
    targets = targets.reshape(-1)
    nll = F.nll_loss(log_probs, targets, ignore_index=ignore_index)
    uniform = -log_probs[targets != ignore_index].mean()
    return (1 - smoothing) * nll + smoothing * uniform


def train_lm(model: nn.Module, batches: list[Tensor], lr: float, steps: int) -> list[float]:
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses = []
    for tokens in islice(cycle(batches), steps):
        logits = model(tokens[:, :-1])
        loss = F.cross_entropy(logits.transpose(1, 2), tokens[:, 1:])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses
