"""GPT and LSTM on the same characters: a4_transformer's solution beside a2_lstm's, at equal steps.

    python benchmarks/transformer_text.py [--seeds 3] [--steps 120 480]

The Transformer does not beat the LSTM here. In bits per character, the median of 3 seeds, with CPU seconds:

    model                  parameters    120 steps       480 steps
    LSTM, 64 units             31,587    2.50   1.7 s    2.23    6.2 s
    GPT, 1 layer of 56         31,360    2.89   2.5 s    2.43    9.8 s
    GPT, 2 layers of 40        30,520    3.05   3.2 s    2.42   13.9 s
    GPT, 2 layers of 80       112,240    2.88   6.0 s    2.23   23.4 s

With as many parameters and steps the GPTs are 0.4 and 0.5 bits behind after 120 steps and 0.2 after 480; one
with 3.5 times the parameters draws level by then, in four times the time. Every model is trained by the
same `train_lm` on the same batches, with the learning rate that does best on validation text (never the least
or the greatest of `LRS`), and reads rows of 32 characters without a past. A likely reason, untested: an
LSTM is made to prefer what came last, which is most of what foretells a character, while a GPT has to learn
where the last character stands; and what a GPT gains by, long texts and much data, is not in rows of 32 and a
few hundred steps.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from assignments.a2_lstm import corpus
from autograder.checks import beside
from benchmarks.solution import over_seeds, row, solution_module

LRS = (0.001, 0.003, 0.01, 0.03, 0.1)
VOCAB = len(corpus.CHARACTERS)
VALIDATION = 20  # of the training batches, the last ones, which nothing is trained on
TUNING_SEED = 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, nargs="+", default=[120, 480])
    options = parser.parse_args()
    with (
        solution_module("a2_lstm", "text") as text,
        solution_module("a4_transformer", "training") as training,
    ):
        models = contestants(text, beside(training, "models"))
        for name, make in models.items():
            print(f"{name}: {sum(p.numel() for p in make().parameters())} parameters")
        for steps in options.steps:
            print(f"{steps} steps: bits per character on test chapters, least to greatest over the seeds")
            for name, make in models.items():
                compare(name, make, training, steps, options.seeds)


class Logits(nn.Module):
    """A `CharLM` that is called, and so trained, like a GPT: every row of a batch is a text of its own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        logits, _ = self.model(tokens)
        return logits


def contestants(text: ModuleType, models: ModuleType) -> dict[str, Callable[[], nn.Module]]:
    """What makes each of them, untrained."""

    def gpt(d_model: int, n_layers: int) -> nn.Module:
        return models.GPT(VOCAB, d_model, 4, 2 * d_model, n_layers, corpus.LENGTH)

    return {
        "LSTM, 64 units": lambda: Logits(text.CharLM(VOCAB, corpus.EMBED_SIZE, corpus.HIDDEN_SIZE)),
        "GPT, 1 layer of 56": lambda: gpt(56, 1),
        "GPT, 2 layers of 40": lambda: gpt(40, 2),
        "GPT, 2 layers of 80": lambda: gpt(80, 2),
    }


def compare(name: str, make: Callable[[], nn.Module], training: ModuleType, steps: int, seeds: int) -> None:
    """Picks the learning rate on validation text, then trains with that one and every seed."""
    batches = corpus.char_batches("train")
    batches, validation = batches[:-VALIDATION], batches[-VALIDATION:]

    def trained(lr: float) -> nn.Module:
        model = make()
        training.train_lm(model, batches, lr, steps)
        return model.eval()

    found = {}
    for lr in LRS:
        torch.manual_seed(TUNING_SEED)
        found[lr] = bits(trained(lr), validation)
    best = min(found, key=lambda lr: found[lr])
    start = time.process_time()
    reached = over_seeds(lambda: bits(trained(best), corpus.char_batches("test")), seeds)
    row(f"{name}, lr {best:g}, {(time.process_time() - start) / seeds:.1f} s", reached)


def bits(model: nn.Module, batches: list[Tensor]) -> float:
    """Bits per character; each row begins without a past, for a GPT has no state to carry over."""
    with torch.no_grad():
        found = [corpus.bits_per_character(model(tokens[:, :-1]), tokens[:, 1:]) for tokens in batches]
    return sum(found) / len(found)


if __name__ == "__main__":
    main()
