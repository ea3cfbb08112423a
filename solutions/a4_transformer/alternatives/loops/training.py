from dataclasses import dataclass

import torch


def noam_lr(step, d_model, warmup):
    if step < 1:
        raise ValueError(f"step counts from 1, got {step}")
    peak = 1.0 / (d_model * warmup) ** 0.5
    return peak * step / warmup if step < warmup else peak * (warmup / step) ** 0.5


def label_smoothing_loss(logits, targets, smoothing, ignore_index=-100):
    keep = targets != ignore_index
    logits, targets = logits[keep], targets[keep]
    vocab_size = logits.shape[-1]
    log_probs = logits - logits.logsumexp(-1, keepdim=True)
    wanted = torch.full_like(log_probs, smoothing / vocab_size)
    wanted.scatter_add_(-1, targets[..., None], torch.full_like(wanted[..., :1], 1 - smoothing))
    # a probability of 0 that is not wanted costs nothing: 0 * inf would be NaN
    costs = torch.where(wanted > 0, -wanted * log_probs, 0.0)
    return costs.sum() / keep.sum().to(costs.dtype)


@dataclass
class LanguageModelTrainer:
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer

    def loss(self, tokens):
        """Surprise at every token but the first, in nats, from logits at every token but the last."""
        log_probs = self.model(tokens).log_softmax(-1)[:, :-1]
        return -log_probs.gather(-1, tokens[:, 1:, None]).mean()

    def clip(self, max_norm):
        grads = [p.grad for p in self.model.parameters() if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g) for g in grads]))
        if norm > max_norm:
            for grad in grads:
                grad.mul_(max_norm / norm)

    def step(self, tokens):
        loss = self.loss(tokens)
        self.optimizer.zero_grad()
        loss.backward()
        self.clip(1.0)
        self.optimizer.step()
        return loss.item()


def train_lm(model, batches, lr, steps):
    trainer = LanguageModelTrainer(model.train(), torch.optim.Adam(model.parameters(), lr=lr))
    return [trainer.step(batches[i % len(batches)]) for i in range(steps)]
